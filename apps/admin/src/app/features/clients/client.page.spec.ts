import { TestBed } from '@angular/core/testing';
import { PageTest } from '../../../testing/page-test';
import { I18n } from '../../core/i18n/i18n';
import { ClientPage } from './client.page';

describe('the page of a client', () => {
  it('says which update of its agent was rolled back, and why', async () => {
    const test = new PageTest('clients/:id', ClientPage).may('clients.read');
    await test.visit('/clients/c1');
    const agent = {
      version: '1.0.0',
      platform: 'linux',
      actions: [],
      rolledBack: { version: '1.5.0', reason: 'late' },
    };
    const client = {
      id: 'c1',
      name: 'till-1',
      status: 'online',
      lastSeenAt: null,
      groups: [],
      labels: {},
      concurrency: 4,
    };
    await test.answer('/api/clients/c1', { ...client, agent, createdAt: '2026-03-05T12:00:00Z' });
    expect(test.text).toContain('The update to 1.5.0 was rolled back: it had no connection in time');
    TestBed.inject(I18n).choose('ko');
    await test.until(() => test.text.includes('1.5.0 업데이트를 되돌렸습니다'));
    test.verify();
  });

  it('says what each action is for in the language of the reader', async () => {
    const test = new PageTest('clients/:id', ClientPage).may('clients.read');
    await test.visit('/clients/c1');
    const agent = { version: '1.0.0', platform: 'linux', actions: [{ name: 'shell' }, { name: 'reprice' }] };
    const client = { id: 'c1', name: 'till-1', status: 'online', lastSeenAt: null, groups: [], labels: {} };
    await test.answer('/api/clients/c1', { ...client, agent, concurrency: 4, createdAt: '2026-03-05T12:00:00Z' });
    expect(test.text).toMatch(
      /shell\s*One that the machine’s own policy allows.*reprice\s*An action of this agent’s own/,
    );
    TestBed.inject(I18n).choose('ko');
    await test.until(() => test.text.includes('장비의 정책이 허용한 프로그램을 셸 없이 실행합니다'));
    expect(test.text).not.toContain('One that the machine’s own policy allows');
    test.verify();
  });
});
