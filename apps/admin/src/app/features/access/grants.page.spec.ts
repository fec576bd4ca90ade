import { PageTest } from '../../../testing/page-test';
import type { GrantView } from './access-api';
import { GrantsPage } from './grants.page';

const OWN: GrantView = {
  id: 'g1',
  user: 'kim@example.com',
  actions: ['print'],
  limits: { print: { copies: { maximum: 10 } } },
};
const BY_GROUP: GrantView = { id: 'g2', role: 'operator', group: 'shop', actions: ['*'], limits: {} };
const GRANTS = '/api/clients/till-1/permissions';

describe('the grants of a client', () => {
  let test: PageTest;
  beforeEach(async () => {
    test = new PageTest('grants', GrantsPage).may('grants.manage');
    await test.visit('/grants?client=till-1');
    await test.answer(GRANTS, { items: [OWN, BY_GROUP] });
    await test.answer('/api/roles', { items: [] });
    await test.answer('/api/clients/till-1', { id: 'c1', name: 'till-1', groups: ['shop'], agent: null });
    await test.until(() => test.text.includes('Grants of the client till-1'));
  });
  afterEach(() => test.verify());

  it('are told in words; those of its groups are edited at the group', () => {
    expect(test.text).toContain('May run: print');
    expect(test.text).toContain('print: copies at most 10');
    expect(test.text).toContain('May run: every action');
    expect(test.button('Edit the group shop').getAttribute('href')).toBe('/access/grants?group=shop');
    expect(test.element.querySelectorAll('[aria-label="Edit the grant of operator"]')).toHaveLength(0);
  });

  it('replace only the client’s own, and keep the form with the fault at its field when they are refused', async () => {
    await test.click('Edit the grant of kim@example.com');
    await test.type('input[formControlName=user]', 'nobody@example.com');
    await test.submit('gw-grant-editor form');
    await test.answer(GRANTS, { items: [OWN, BY_GROUP] });
    await test.refuse(GRANTS, 'PUT', {
      status: 400,
      code: 'invalid_input',
      errors: [{ path: 'items[0].user', message: 'there is no such person' }],
    });
    await test.until(() => test.element.querySelector('mat-error')?.textContent?.includes('no such person') ?? false);
    await test.type('input[formControlName=user]', 'lee@example.com');
    await test.submit('gw-grant-editor form');
    await test.answer(GRANTS, { items: [OWN, BY_GROUP] });
    const put = await test.call(GRANTS, 'PUT');
    expect(put.request.body).toEqual({
      items: [{ user: 'lee@example.com', actions: ['print'], limits: { print: { copies: { maximum: 10 } } } }],
    });
    put.flush({ items: [{ ...OWN, id: 'g3', user: 'lee@example.com' }, BY_GROUP] });
    await test.until(() => test.text.includes('lee@example.com') && !test.element.querySelector('gw-grant-editor'));
  });

  it('are not overwritten when somebody else changed them meanwhile', async () => {
    await test.click('Take away the grant of kim@example.com');
    await test.answer(GRANTS, { items: [BY_GROUP] });
    await test.until(() => test.text.includes('Somebody has changed these grants meanwhile'));
    expect(test.text).not.toContain('kim@example.com');
  });

  it('keep what was written in the form when somebody else changed them meanwhile', async () => {
    await test.click('Edit the grant of kim@example.com');
    await test.type('input[formControlName=user]', 'park@example.com');
    await test.submit('gw-grant-editor form');
    const lee: GrantView = { id: 'g8', user: 'lee@example.com', actions: ['shell'], limits: {} };
    const kim: GrantView = { ...OWN, id: 'g9', actions: ['print', 'shell'] };
    await test.answer(GRANTS, { items: [lee, kim, BY_GROUP] });
    expect(test.text).toContain('What you have written is still in the form');
    expect(test.text).toContain('May run: print, shell');
    const user = test.element.querySelector<HTMLInputElement>('gw-grant-editor input[formControlName=user]');
    expect(user?.value).toBe('park@example.com');
    await test.submit('gw-grant-editor form');
    await test.answer(GRANTS, { items: [lee, kim, BY_GROUP] });
    const put = await test.call(GRANTS, 'PUT');
    expect(put.request.body).toEqual({
      items: [lee, { user: 'park@example.com', actions: ['print'], limits: { print: { copies: { maximum: 10 } } } }],
    });
    put.flush({ items: [lee, BY_GROUP] });
    await test.until(() => !test.element.querySelector('gw-grant-editor'));
    expect(test.text).not.toContain('meanwhile');
  });
});
