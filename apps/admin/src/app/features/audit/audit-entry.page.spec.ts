import type { AuditItem } from '@gwanje/contracts';
import { PageTest } from '../../../testing/page-test';
import { AuditEntryPage } from './audit-entry.page';

const ITEM: AuditItem = {
  id: 'a1',
  at: '2026-03-05T12:00:00.000001Z',
  position: null,
  actor: { type: 'user', id: 'u1', name: 'kim@example.com', tokenId: 't1' },
  address: '192.0.2.1',
  action: 'users.update',
  target: { type: 'user', id: 'u2', name: 'lee@example.com' },
  clientId: null,
  outcome: 'done',
  before: { name: 'Lee', roles: ['viewer'] },
  after: { name: 'Lee', roles: ['viewer', '<b>operator</b>'] },
  detail: null,
  requestId: 'r-1',
};

describe('an entry of the audit log', () => {
  let test: PageTest;
  beforeEach(() => (test = new PageTest('audit/:id', AuditEntryPage).may('audit.read', 'users.manage')));
  afterEach(() => test.verify());

  it('shows what was changed, and what was not when it is asked for', async () => {
    await test.visit('/audit/a1');
    await test.answer('/api/audit/a1', ITEM);
    const rows = (): string[] =>
      [...test.element.querySelectorAll('section tbody tr')].map((row) =>
        [...row.children].map((cell) => (cell.textContent ?? '').replace(/\s+/g, ' ').trim()).join(' | '),
      );
    expect(rows()).toEqual(['roles changed | viewer | viewer, <b>operator</b>']);
    expect(test.element.querySelector('b')).toBeNull();
    expect(test.text).toContain('not sealed yet');
    expect(test.text).toContain('with a personal access token');
    await test.click('Show what was not changed (1)');
    expect(rows()).toEqual(['name not changed | Lee | Lee', 'roles changed | viewer | viewer, <b>operator</b>']);
  });

  it('leads to the people that it names only those who may see them', async () => {
    await test.visit('/audit/a1');
    await test.answer('/api/audit/a1', ITEM);
    expect(test.element.querySelector('a[href="/access/users/u2"]')).not.toBeNull();
    test.may('audit.read');
    await test.until(() => test.element.querySelector('a[href="/access/users/u2"]') === null);
  });

  it('says that there is none', async () => {
    await test.visit('/audit/a1');
    await test.refuse('/api/audit/a1', 'GET', { status: 404, code: 'not_found' });
    await test.until(() => test.text.includes('There is no such entry'));
  });
});
