import { HttpClient, HttpErrorResponse, provideHttpClient, withInterceptors } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting } from '@angular/common/http/testing';
import { TestBed } from '@angular/core/testing';
import { firstValueFrom } from 'rxjs';
import { toProblem } from './problem';
import { readableProblems } from './readable-problems.interceptor';

/** What a call for a file says when it is answered 404 with this body. */
async function refusal(body: string): Promise<unknown> {
  TestBed.configureTestingModule({
    providers: [provideHttpClient(withInterceptors([readableProblems])), provideHttpClientTesting()],
  });
  const call = firstValueFrom(TestBed.inject(HttpClient).get('/api/file', { responseType: 'blob' })).catch(
    (error: unknown) => error,
  );
  TestBed.inject(HttpTestingController)
    .expectOne('/api/file')
    .flush(new Blob([body]), { status: 404, statusText: 'Not Found', headers: { 'X-Request-Id': 'r-1' } });
  return call;
}

describe('a file that cannot be had', () => {
  it('says why in the server’s own words', async () => {
    const error = await refusal(JSON.stringify({ code: 'not_found', detail: 'The file is gone', requestId: 'r-2' }));
    expect(error).toBeInstanceOf(HttpErrorResponse);
    expect(toProblem(error)).toEqual({
      status: 404,
      code: 'not_found',
      detail: 'The file is gone',
      errors: [],
      requestId: 'r-2',
    });
  });

  it('says what is known when a proxy answered', async () => {
    expect(toProblem(await refusal('<html>'))).toMatchObject({ status: 404, code: 'unknown', requestId: 'r-1' });
  });
});
