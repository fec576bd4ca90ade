import { inject } from '@angular/core';
import { type CanActivateFn, Router } from '@angular/router';
import { Session } from './session';

/** Sends visitors to the log-in page, which brings them back to where they wanted to go. */
export const signedIn: CanActivateFn = (_route, { url }) =>
  inject(Session).user() !== null ||
  inject(Router).createUrlTree(['/login'], { queryParams: url === '/' ? {} : { next: url } });
