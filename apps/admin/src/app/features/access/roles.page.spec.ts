import { PageTest } from '../../../testing/page-test';
import type { Role } from './access-api';
import { RolesPage } from './roles.page';

const role = (name: string, change: Partial<Role> = {}): Role => ({
  id: name,
  name,
  permissions: ['commands.read'],
  scope: 'all',
  requiresSecondFactor: false,
  builtIn: false,
  ...change,
});

describe('the matrix of roles', () => {
  let test: PageTest;
  beforeEach(async () => {
    test = new PageTest('roles', RolesPage).may('roles.manage', 'commands.read', 'commands.create');
    await test.visit('/roles');
    await test.answer('/api/roles', { items: [role('viewer', { builtIn: true }), role('branch')] });
  });
  afterEach(() => test.verify());

  const box = (label: string): HTMLInputElement | null => test.element.querySelector(`input[aria-label="${label}"]`);
  const turn = async (label: string): Promise<void> => {
    box(label)?.click();
    await test.until(() => true);
  };

  it('lets only what the reader has be turned, and nothing of a built-in role but its demand', () => {
    expect(box('branch: Send commands')).not.toBeNull();
    expect(box('branch: Read the audit log')).toBeNull();
    expect(box('viewer: Send commands')).toBeNull();
    expect(box('viewer: Demands a second factor')).not.toBeNull();
  });

  it('lists in words what will change, and sends nothing before it is saved', async () => {
    await turn('branch: Send commands');
    await turn('branch: See commands and their results');
    await turn('viewer: Demands a second factor');
    expect(test.text).toContain('may now: Send commands');
    expect(test.text).toContain('may no longer: See commands and their results');
    expect(test.text).toContain('demands a second factor: whoever has none');
    test.verify();

    await test.click('Save the changes');
    const first = await test.call('/api/roles/viewer', 'PATCH');
    expect(first.request.body).toEqual({ requiresSecondFactor: true });
    first.flush(role('viewer', { builtIn: true, requiresSecondFactor: true }));
    const second = await test.call('/api/roles/branch', 'PATCH');
    expect(second.request.body).toEqual({ permissions: ['commands.create'] });
    second.flush(role('branch', { permissions: ['commands.create'] }));
    await test.until(() => test.text.includes('Saved. It holds at once'));
    expect(test.text).not.toContain('What will change');
  });

  it('keeps what was not saved, and says why in the server’s words', async () => {
    await turn('branch: Send commands');
    await test.click('Save the changes');
    const detail = 'You cannot give what you do not have: commands.create on all clients';
    await test.refuse('/api/roles/branch', 'PATCH', { status: 403, code: 'forbidden', detail });
    await test.until(() => test.element.querySelector('[role=alert]') !== null);
    expect(test.element.querySelector('[role=alert]')?.textContent).toMatch(
      /commands\.create on all clients.*branch could not be saved/s,
    );
    expect(test.text).toContain('may now: Send commands');
    await test.click('Discard');
    expect(test.text).not.toContain('What will change');
    expect(box('branch: Send commands')?.checked).toBe(false);
  });

  it('puts a name that is taken at its place, and asks before a role is deleted', async () => {
    await test.click('Add a role');
    await test.type('input[formControlName=name]', 'a/b');
    await test.submit();
    await test.refuse('/api/roles', 'POST', {
      status: 400,
      code: 'invalid_input',
      errors: [{ path: 'name', message: 'name must be letters' }],
    });
    await test.until(() => test.element.querySelector('mat-error')?.textContent?.includes('must be letters') ?? false);
    test.says = false;
    await test.click('Delete the role branch');
    test.verify();
    test.says = true;
    await test.click('Delete the role branch');
    await test.answer('/api/roles/branch', null, 'DELETE');
    await test.answer('/api/roles', { items: [role('viewer', { builtIn: true })] });
    expect(test.text).not.toContain('branch');
  });

  it('is only there to be read without the permission', async () => {
    test.may('commands.read');
    await test.until(() => test.text.includes('may look at the roles'));
    expect(test.element.querySelectorAll('input[type=checkbox]')).toHaveLength(0);
    expect(test.has('Add a role')).toBe(false);
  });
});
