import type { AuditExport } from '@gwanje/contracts';
import { PageTest } from '../../../testing/page-test';
import { ExportsPage } from './exports.page';

const order = (id: string, change: Partial<AuditExport> = {}): AuditExport => ({
  id,
  status: 'queued',
  progress: 0,
  rows: 0,
  bytes: null,
  sha256: null,
  format: 'ndjson',
  filter: null,
  errorMessage: null,
  createdAt: '2026-03-05T12:00:00Z',
  completedAt: null,
  ...change,
});

describe('the exports', () => {
  let test: PageTest;
  beforeEach(async () => {
    test = new PageTest('exports', ExportsPage).may('audit.export');
    await test.visit('/exports');
    await test.answer('/api/audit/exports', {
      items: [order('e1', { filter: { action: 'users.*', outcome: 'refused' } })],
      nextCursor: null,
    });
  });
  afterEach(() => test.verify());

  const bar = (): string | null | undefined =>
    test.element.querySelector('.exports mat-progress-bar')?.getAttribute('aria-valuenow');

  it('are told on by the news, with no call of their own, until they can be downloaded', async () => {
    expect(test.text).toContain('Action: users.* · Outcome: Refused');
    expect(test.has('Download')).toBe(false);
    test.news.next(order('e1', { status: 'running', progress: 40, rows: 1234 }));
    await test.until(() => bar() === '40');
    expect(test.text).toContain('40 % · 1,234 entries');
    test.news.next(order('e1', { status: 'completed', progress: 100, rows: 3000, bytes: 1_500_000, sha256: 'ab12' }));
    await test.until(() => test.has('Download'));
    expect(test.text).toMatch(/Ready.*3,000 entries · 1\.5 MB.*SHA-256 ab12/);
    expect(test.text).toContain('npm run audit:verify -- gwanje-audit-e1.ndjson --public-key audit-key.pub.pem');
    // Ordered in another tab.
    test.news.next(order('e2', { format: 'csv' }));
    await test.until(() => test.element.querySelectorAll('.exports li').length === 2);
  });

  it('say why one failed, and are read again after a break of the stream', async () => {
    test.news.next(
      order('e1', { status: 'failed', errorMessage: 'the export could not be written; the server log says why' }),
    );
    await test.until(() => test.text.includes('the server log says why'));
    test.opened.next();
    await test.answer('/api/audit/exports', { items: [], nextCursor: null });
    expect(test.text).toContain('No export yet');
  });

  it('are as the news said last, though a list that was read before comes after it', async () => {
    test.opened.next();
    const call = await test.call('/api/audit/exports');
    test.news.next(order('e1', { status: 'completed', progress: 100, rows: 3000, bytes: 10, sha256: 'ab12' }));
    call.flush({ items: [order('e1', { status: 'running' })], nextCursor: null });
    await test.until(() => test.has('Download'));
    // What was heard before the list was asked for is in the list.
    test.opened.next();
    await test.answer('/api/audit/exports', { items: [], nextCursor: null });
    expect(test.text).toContain('No export yet');
  });

  it('are ordered whole, and keep the page when the order is refused', async () => {
    await test.click('CSV, for spreadsheets');
    const call = await test.call('/api/audit/exports', 'POST');
    expect(call.request.body).toEqual({ format: 'csv' });
    call.flush({ code: 'forbidden', detail: 'x', requestId: 'r-9' }, { status: 403, statusText: 'Forbidden' });
    await test.until(() => test.element.querySelector('[role=alert]')?.textContent?.includes('r-9') ?? false);
    expect(test.element.querySelectorAll('.exports li')).toHaveLength(1);
  });
});
