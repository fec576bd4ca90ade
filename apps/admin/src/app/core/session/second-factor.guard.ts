import { inject } from '@angular/core';
import { type CanActivateChildFn, Router } from '@angular/router';
import { Session } from './session';

/** Whoever still owes a second factor may do nothing else: leads to the profile, where they set it up or prove it. */
export const secondFactorDone: CanActivateChildFn = (_route, { url }) => {
  const factor = inject(Session).user()?.secondFactor;
  if (!factor || factor.satisfied || url.startsWith('/profile')) return true;
  return inject(Router).createUrlTree(['/profile'], { queryParams: url === '/' ? {} : { next: url } });
};
