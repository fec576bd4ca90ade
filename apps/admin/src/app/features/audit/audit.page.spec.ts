import { TestBed } from '@angular/core/testing';
import { Router } from '@angular/router';
import type { AuditItem } from '@gwanje/contracts';
import { PageTest } from '../../../testing/page-test';
import { AuditPage } from './audit.page';

const item = (id: string, change: Partial<AuditItem> = {}): AuditItem => ({
  id,
  at: '2026-03-05T12:00:00.000001Z',
  position: 7,
  actor: { type: 'user', id: 'u', name: 'kim@example.com', tokenId: null },
  address: '192.0.2.1',
  action: 'users.set_roles',
  target: { type: 'user', id: 'v', name: 'lee@example.com' },
  clientId: null,
  outcome: 'done',
  before: { roles: [] },
  after: { roles: ['viewer'] },
  detail: null,
  requestId: 'r-1',
  ...change,
});

describe('the audit log', () => {
  let test: PageTest;
  beforeEach(() => (test = new PageTest('audit', AuditPage).may('audit.read', 'audit.export')));
  afterEach(() => test.verify());

  it('says who did what to what, in words beside the name of the action', async () => {
    await test.visit('/audit');
    const system = { type: 'system' as const, id: null, name: null, tokenId: null };
    await test.answer('/api/audit', {
      items: [
        item('2'),
        item('1', {
          actor: system,
          action: 'new.thing',
          target: { type: 'odd', id: null, name: null },
          outcome: 'refused',
        }),
      ],
      nextCursor: null,
    });
    const rows = [...test.element.querySelectorAll('tbody tr')].map((row) =>
      (row.textContent ?? '').replace(/\s+/g, ' '),
    );
    expect(rows[0]).toMatch(
      /kim@example\.com.*Set the roles of a person.*users\.set_roles.*person lee@example\.com.*Done/,
    );
    expect(rows[1]).toMatch(/Gwanje itself.*new\.thing.*odd.*Refused/);
    expect(test.element.querySelector('tbody a')?.getAttribute('href')).toBe('/audit/2');
  });

  it('keeps the filters in the address, asks with those that the server knows, and goes on by the cursor', async () => {
    await test.visit('/audit?actor=kim@example.com&action=users.*&from=2026-03-05T00:00:00Z&outcome=nonsense&other=1');
    const first = await test.answer('/api/audit', { items: [item('2')], nextCursor: '2' });
    expect(first.request.params.toString()).toBe(
      'actor=kim@example.com&action=users.*&from=2026-03-05T00:00:00.000Z&limit=50',
    );
    await test.click('Load more');
    const second = await test.answer('/api/audit', { items: [item('1')], nextCursor: null });
    expect(second.request.params.get('cursor')).toBe('2');
    expect(test.element.querySelectorAll('tbody tr')).toHaveLength(2);
    await test.click('Clear the filters');
    expect((await test.answer('/api/audit', { items: [], nextCursor: null })).request.params.toString()).toBe(
      'limit=50',
    );
    expect(TestBed.inject(Router).url).toBe('/audit?other=1');
    expect(test.text).toContain('Nothing matches these filters');
  });

  it('offers no export to whoever may not export', async () => {
    test.may('audit.read');
    await test.visit('/audit');
    await test.answer('/api/audit', { items: [item('1')], nextCursor: null });
    expect(test.has('Export these')).toBe(false);
  });
});
