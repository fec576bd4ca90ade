import { ChangeDetectionStrategy, Component, signal } from '@angular/core';
import { PageTest } from '../../../testing/page-test';
import type { UserView } from './access-api';
import { UserLoginsPanel } from './user-logins-panel';

const KIM: UserView = {
  id: 'u1',
  email: 'kim@example.com',
  name: 'Kim',
  roles: [],
  scope: 'all',
  disabled: false,
  secondFactor: false,
  createdAt: '2026-01-01T00:00:00Z',
};

@Component({
  imports: [UserLoginsPanel],
  template: '<gw-user-logins-panel [user]="user()" />',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
class Page {
  protected readonly user = signal(KIM);
}

describe('the log-ins of a person', () => {
  let test: PageTest;
  beforeEach(async () => {
    test = new PageTest('user', Page);
    await test.visit('/user');
  });
  afterEach(() => test.verify());

  it('are said to be none only when the server said so', async () => {
    expect(test.text).toContain('Loading…');
    expect(test.text).not.toContain('Logged in nowhere.');
    await test.answer('/api/users/u1/sessions', { items: [] });
    await test.answer('/api/users/u1/tokens', { items: [] });
    expect(test.text).toContain('Logged in nowhere.');
    expect(test.text).toContain('None.');
  });

  it('are unknown when they cannot be read', async () => {
    await test.refuse('/api/users/u1/sessions', 'GET', { status: 503, code: 'database_unavailable' });
    await test.call('/api/users/u1/tokens');
    expect(test.text).toContain('The server is not ready just now');
    expect(test.text).not.toContain('Logged in nowhere.');
    expect(test.text).not.toContain('Loading…');
  });
});
