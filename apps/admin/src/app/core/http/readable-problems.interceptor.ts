import { HttpErrorResponse, type HttpInterceptorFn } from '@angular/common/http';
import { catchError, from, switchMap, throwError } from 'rxjs';

/** A call that asks for a file gets the answer's body as a Blob, also when it is a problem: makes it the problem that it is. */
export const readableProblems: HttpInterceptorFn = (request, next) =>
  next(request).pipe(
    catchError((error: unknown) => {
      if (!(error instanceof HttpErrorResponse) || !(error.error instanceof Blob)) return throwError(() => error);
      const { status, statusText, headers, url } = error;
      return from(jsonOf(error.error)).pipe(
        switchMap((body) =>
          throwError(() => new HttpErrorResponse({ status, statusText, headers, ...(url && { url }), error: body })),
        ),
      );
    }),
  );

/** Null when it is no JSON. */
async function jsonOf(blob: Blob): Promise<unknown> {
  try {
    return JSON.parse(await blob.text());
  } catch {
    return null;
  }
}
