import { effect, inject, Injectable } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { NavigationEnd, type Params, Router } from '@angular/router';
import { Session } from '../core/session/session';

/**
 * The filters with which each list was last seen in this tab, for the ways back to it from what it lists. Begins with the console,
 * because a list is left before the page of one of its rows is there; ends with the log-in, because filters can name people.
 */
@Injectable({ providedIn: 'root' })
export class ListFilters {
  private readonly router = inject(Router);
  private readonly user = inject(Session).user;
  private readonly last = new Map<string, Params>();

  constructor() {
    this.router.events.pipe(takeUntilDestroyed()).subscribe((event) => {
      if (event instanceof NavigationEnd) this.note(event.urlAfterRedirects);
    });
    effect(() => {
      if (!this.user()) this.last.clear();
    });
  }

  /** For `[queryParams]` of a link to the list at this path. */
  of(path: string): Params {
    return this.last.get(path) ?? {};
  }

  private note(address: string): void {
    const [path = ''] = address.split(/[?#]/);
    const { queryParams } = this.router.parseUrl(address);
    if (Object.keys(queryParams).length > 0) this.last.set(path, queryParams);
    else this.last.delete(path);
  }
}
