import { TestBed } from '@angular/core/testing';
import { Router } from '@angular/router';
import type { Alert, AlertDelivery } from '@gwanje/contracts';
import { PageTest } from '../../../testing/page-test';
import { DeliveriesPage } from './deliveries.page';
import { FiredPage } from './fired.page';

const alert = (change: Partial<Alert>): Alert => ({
  id: 'a1',
  kind: 'client_offline',
  rule: { id: 'r1', name: 'printers gone' },
  subject: { type: 'client', id: 'k1', name: 'printer-001' },
  detail: { offlineSince: '2026-01-01T00:00:00Z' },
  firedAt: '2026-01-01T00:05:00Z',
  resolvedAt: null,
  ...change,
});
const delivery = (change: Partial<AlertDelivery>): AlertDelivery => ({
  id: 'd1',
  news: 'firing',
  alert: { id: 'a1', rule: 'printers gone', subject: 'printer-001' },
  count: 1,
  channel: { id: 'c1', name: 'on call', kind: 'webhook' },
  state: 'failed',
  attempts: 8,
  lastError: 'Answered 500',
  createdAt: '2026-01-01T00:05:00Z',
  dueAt: null,
  deliveredAt: null,
  ...change,
});

describe('the page of alerts', () => {
  it('lists what goes on and what is over, leads to what it is about, and reads on', async () => {
    const test = new PageTest('alerts', FiredPage).may('alerts.read');
    await test.visit('/alerts');
    const rate = alert({
      id: 'a0',
      kind: 'error_rate',
      subject: { type: 'rule', id: 'r2', name: 'rate' },
      detail: { failed: 3, ended: 4 },
      resolvedAt: '2026-01-01T00:09:00Z',
    });
    await test.answer('/api/alerts', { items: [alert({})], nextCursor: 'a1' });
    expect(test.text).toMatch(/printer-001\s*A client is offline offline since .*printers gone.*Open/);
    expect(test.element.querySelector('td a')?.getAttribute('href')).toBe('/clients/k1');
    test.button('Load more').click();
    const call = await test.answer('/api/alerts', { items: [rate], nextCursor: null });
    expect(call.request.params.get('cursor')).toBe('a1');
    expect(test.text).toMatch(/All clients of the rule\s*Many commands fail 3 of 4 failed.*Over\s*over since/);
    test.opened.next();
    await test.answer('/api/alerts', { items: [], nextCursor: null });
    expect(test.text).toContain('Nothing happened that a rule waits for');
    test.verify();
  });

  it('keeps up with the news: what fires, changes, and no longer is what was asked for', async () => {
    const test = new PageTest('alerts', FiredPage).may('alerts.read');
    await test.visit('/alerts');
    await test.answer('/api/alerts', { items: [alert({ id: 'a3' }), alert({ id: 'a1' })], nextCursor: 'a1' });
    const told = async (change: Partial<Alert>): Promise<void> => {
      test.news.next(alert(change));
      await test.until(() => true);
    };
    const names = (): string[] => [...test.element.querySelectorAll('td a')].map((link) => link.textContent.trim());
    await told({ id: 'a4', subject: { type: 'client', id: 'k4', name: 'newest' } });
    await told({ id: 'a2', subject: { type: 'client', id: 'k2', name: 'between' } });
    await told({ id: 'a0', subject: { type: 'client', id: 'k0', name: 'further down' } });
    expect(names()).toEqual(['newest', 'printer-001', 'between', 'printer-001']);
    await told({
      id: 'a4',
      subject: { type: 'client', id: 'k4', name: 'renamed' },
      resolvedAt: '2026-01-01T00:09:00Z',
    });
    expect(names()).toEqual(['renamed', 'printer-001', 'between', 'printer-001']);
    expect(test.text).toContain('over since');
    test.verify();
  });

  it('keeps the filter in the address, and takes only states that there are', async () => {
    const test = new PageTest('alerts', FiredPage).may('alerts.read');
    await test.visit('/alerts?state=nonsense&other=1');
    const all = await test.answer('/api/alerts', { items: [], nextCursor: null });
    expect(all.request.params.get('state')).toBeNull();
    await test.choose('mat-select', 'Open');
    const open = await test.answer('/api/alerts', { items: [], nextCursor: null });
    expect(open.request.params.get('state')).toBe('open');
    expect(TestBed.inject(Router).url).toBe('/alerts?state=open&other=1');
    test.verify();
  });

  it('does not let an older answer take back what was heard while it was awaited', async () => {
    const test = new PageTest('alerts', FiredPage).may('alerts.read');
    await test.visit('/alerts');
    test.news.next(alert({ resolvedAt: '2026-01-01T00:09:00Z' }));
    await test.answer('/api/alerts', { items: [alert({})], nextCursor: null });
    expect(test.text).toContain('over since');
    test.verify();
  });
});

describe('the page of deliveries', () => {
  it('says why one failed, and tries it again for whoever may', async () => {
    const test = new PageTest('deliveries', DeliveriesPage).may('alerts.read', 'alerts.manage');
    await test.visit('/deliveries');
    await test.answer('/api/alerts/deliveries', { items: [delivery({})], nextCursor: null });
    expect(test.text).toMatch(/Alert printers gone · printer-001\s*on call\s*Failed\s*8\s*Answered 500/);
    test.button('Try again: on call').click();
    await test.answer('/api/alerts/deliveries/d1/retry', null, 'POST');
    await test.answer('/api/alerts/deliveries', { items: [delivery({ state: 'delivered', lastError: null })] });
    expect(test.text).toContain('It is tried again.');
    expect(test.text).toContain('Delivered');
    test.verify();
  });

  it('asks for what the address says, and keeps the filter there', async () => {
    const test = new PageTest('deliveries', DeliveriesPage).may('alerts.read');
    await test.visit('/deliveries?state=failed');
    const failed = await test.answer('/api/alerts/deliveries', { items: [], nextCursor: null });
    expect(failed.request.params.get('state')).toBe('failed');
    await test.choose('mat-select', 'All');
    const all = await test.answer('/api/alerts/deliveries', { items: [], nextCursor: null });
    expect(all.request.params.get('state')).toBeNull();
    expect(TestBed.inject(Router).url).toBe('/deliveries');
    test.verify();
  });

  it('shows how one goes on', async () => {
    const test = new PageTest('deliveries', DeliveriesPage).may('alerts.read');
    await test.visit('/deliveries');
    await test.answer('/api/alerts/deliveries', { items: [delivery({})], nextCursor: null });
    test.news.next(delivery({ state: 'delivered', lastError: null, attempts: 9 }));
    await test.until(() => test.text.includes('Delivered'));
    expect(test.text).not.toContain('more');
    test.news.next(delivery({ count: 500 }));
    await test.until(() => test.text.includes('printers gone · printer-001 and 499 more'));
    test.news.next(delivery({ state: 'delivered', lastError: null }));
    await test.until(() => test.text.includes('Delivered'));
    expect(test.text).not.toContain('Answered 500');
    test.verify();
  });

  it('does not offer that to others', async () => {
    const test = new PageTest('deliveries', DeliveriesPage).may('alerts.read');
    await test.visit('/deliveries');
    await test.answer('/api/alerts/deliveries', { items: [delivery({})], nextCursor: null });
    expect(test.has('Try again')).toBe(false);
    test.verify();
  });
});
