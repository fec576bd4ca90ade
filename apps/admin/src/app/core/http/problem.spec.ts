import { HttpErrorResponse, HttpHeaders } from '@angular/common/http';
import { toProblem } from './problem';

const headers = new HttpHeaders({ 'X-Request-Id': 'r-1' });

describe('a problem', () => {
  it('is the server’s own, when it sent one', () => {
    const error = {
      code: 'invalid_input',
      detail: 'd',
      errors: [{ path: 'payload.copies', message: 'm' }, 7],
      requestId: 'r-2',
    };
    expect(toProblem(new HttpErrorResponse({ status: 400, headers, error }))).toEqual({
      status: 400,
      code: 'invalid_input',
      detail: 'd',
      errors: [{ path: 'payload.copies', message: 'm' }],
      requestId: 'r-2',
    });
  });

  it.each([
    [
      'a proxy’s page',
      new HttpErrorResponse({ status: 502, headers, error: '<html>' }),
      { status: 502, code: 'unknown', requestId: 'r-1' },
    ],
    ['no answer', new HttpErrorResponse({ status: 0 }), { status: 0, code: 'unreachable', requestId: null }],
    ['an error of our own', new TypeError('oops'), { status: 0, code: 'unknown', detail: 'oops' }],
    ['nothing known', undefined, { status: 0, code: 'unknown', detail: '' }],
  ])('is told of %s too', (_name, error, problem) => {
    expect(toProblem(error)).toMatchObject(problem);
  });
});
