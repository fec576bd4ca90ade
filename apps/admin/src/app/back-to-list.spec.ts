import type { Type } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { Router } from '@angular/router';
import { PageTest } from '../testing/page-test';
import { UserPage } from './features/access/user.page';
import { AuditEntryPage } from './features/audit/audit-entry.page';
import { ClientPage } from './features/clients/client.page';
import { CommandPage } from './features/commands/command.page';
import { ListFilters } from './shared/list-filters';

const PAGES: [list: string, page: Type<unknown>][] = [
  ['/clients', ClientPage],
  ['/commands', CommandPage],
  ['/audit', AuditEntryPage],
  ['/access/users', UserPage],
];

describe('the way back to a list', () => {
  /** What the link says on the page of one row, after the list was seen with filters. */
  async function visit(
    list: string,
    page: Type<unknown>,
    meanwhile = (_: PageTest): void => undefined,
  ): Promise<string> {
    const test = new PageTest(`${list.slice(1)}/:id`, page);
    TestBed.inject(ListFilters);
    await test.visit(`${list}?q=till&status=offline`);
    meanwhile(test);
    await test.until(() => true);
    await TestBed.inject(Router).navigateByUrl(`${list}/x1`);
    await test.until(() => test.element.querySelector('a.back') !== null);
    return test.element.querySelector('a.back')?.getAttribute('href') ?? '';
  }

  it.each(PAGES)('keeps its filters: %s', async (list, page) => {
    expect(await visit(list, page)).toBe(`${list}?q=till&status=offline`);
  });

  it('has none of whoever was logged in before', async () => {
    const another = (test: PageTest): void => {
      const user = test.user();
      test.user.set(null);
      TestBed.tick();
      test.user.set(user);
    };
    expect(await visit('/clients', ClientPage, another)).toBe('/clients');
  });

  it('has none that were taken away since', async () => {
    const test = new PageTest('clients/:id', ClientPage);
    const filters = TestBed.inject(ListFilters);
    await test.visit('/clients?q=till');
    expect(filters.of('/clients')).toEqual({ q: 'till' });
    await TestBed.inject(Router).navigateByUrl('/clients');
    expect(filters.of('/clients')).toEqual({});
  });
});
