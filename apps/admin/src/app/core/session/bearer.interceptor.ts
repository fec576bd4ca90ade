import { HttpErrorResponse, type HttpInterceptorFn, type HttpRequest } from '@angular/common/http';
import { inject } from '@angular/core';
import { catchError, from, switchMap, throwError } from 'rxjs';
import { Session } from './session';

/** These carry the cookie or the password, not the token. */
const WITHOUT_TOKEN = /^\/api\/auth\/(login|refresh|logout)$/;

/** Adds the access token to calls of the API; after a 401 renews it, once for all that wait, and tries the call once more. */
export const bearer: HttpInterceptorFn = (request, next) => {
  if (!request.url.startsWith('/api/') || WITHOUT_TOKEN.test(request.url)) return next(request);
  const session = inject(Session);
  const token = session.token;
  return next(withToken(request, token)).pipe(
    catchError((error: unknown) => {
      if (!(error instanceof HttpErrorResponse) || error.status !== 401 || !token) return throwError(() => error);
      // Another call may have renewed it while this one was under way.
      const renewed = session.token !== token && session.token ? Promise.resolve(session.token) : session.refresh();
      return from(renewed).pipe(switchMap((fresh) => next(withToken(request, fresh))));
    }),
  );
};

function withToken(request: HttpRequest<unknown>, token: string | null): HttpRequest<unknown> {
  return token ? request.clone({ setHeaders: { Authorization: `Bearer ${token}` } }) : request;
}
