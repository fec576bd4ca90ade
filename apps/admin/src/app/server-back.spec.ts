import type { Type } from '@angular/core';
import { PageTest } from '../testing/page-test';
import { GrantsPage } from './features/access/grants.page';
import { RolesPage } from './features/access/roles.page';
import { UserPage } from './features/access/user.page';
import { UsersPage } from './features/access/users.page';
import { ChannelsPage } from './features/alerts/channels.page';
import { RulesPage } from './features/alerts/rules.page';
import { AuditEntryPage } from './features/audit/audit-entry.page';
import { AuditPage } from './features/audit/audit.page';
import { SealsPage } from './features/audit/seals.page';

const PAGES: [name: string, route: string, page: Type<unknown>, address: string, call: string][] = [
  ['the audit log', 'audit', AuditPage, '/audit', '/api/audit'],
  ['an entry of the audit log', 'audit/:id', AuditEntryPage, '/audit/a1', '/api/audit/a1'],
  ['the seals', 'seals', SealsPage, '/seals', '/api/audit/checkpoints'],
  ['the users', 'users', UsersPage, '/users', '/api/users'],
  ['a user', 'users/:id', UserPage, '/users/u1', '/api/users/u1'],
  ['the roles', 'roles', RolesPage, '/roles', '/api/roles'],
  ['the grants', 'grants', GrantsPage, '/grants?group=shop', '/api/groups/shop/permissions'],
  ['the rules', 'rules', RulesPage, '/rules', '/api/alerts/rules'],
  ['the channels', 'channels', ChannelsPage, '/channels', '/api/alerts/channels'],
];

describe('a page that hears no news', () => {
  it.each(PAGES)('reads again what it could not, once the server is back: %s', async (_, route, page, address, url) => {
    const test = new PageTest(route, page);
    await test.visit(address);
    (await test.call(url)).error(new ProgressEvent('error'));
    await test.until(() => test.text.includes('cannot be reached'));
    test.opened.next();
    await test.call(url);
    await test.until(() => !test.text.includes('cannot be reached'));
  });

  it('leaves alone what it shows', async () => {
    const test = new PageTest('channels', ChannelsPage);
    await test.visit('/channels');
    await test.answer('/api/alerts/channels', { items: [] });
    test.opened.next();
    await test.until(() => true);
    test.verify();
  });
});
