import { provideHttpClient } from '@angular/common/http';
import { TestBed } from '@angular/core/testing';
import { FETCH } from '../../core/events/event-stream';
import { toProblem } from '../../core/http/problem';
import { Session } from '../../core/session/session';
import { AuditApi } from './audit-api';

describe('the download of an export', () => {
  const fetch = jest.fn();
  const session = { token: 'old', refresh: jest.fn() };
  let api: AuditApi;

  beforeEach(() => {
    fetch.mockReset();
    session.refresh.mockReset().mockResolvedValue('new');
    TestBed.configureTestingModule({
      providers: [provideHttpClient(), { provide: FETCH, useValue: fetch }, { provide: Session, useValue: session }],
    });
    api = TestBed.inject(AuditApi);
  });

  const answer = (status: number, body: unknown = null): object => ({
    ok: status < 300,
    status,
    headers: new Headers({ 'X-Request-Id': 'r-1' }),
    json: () => Promise.resolve(body),
    blob: () => Promise.resolve(body),
  });
  const problem = (): Promise<unknown> => api.download('e1').then(() => null, toProblem);

  it('asks once more with a new token when the old one has ended', async () => {
    const file = new Blob(['x']);
    fetch.mockResolvedValueOnce(answer(401)).mockResolvedValueOnce(answer(200, file));
    expect(await api.download('e1')).toBe(file);
    expect(fetch).toHaveBeenLastCalledWith(
      '/api/audit/exports/e1/download',
      expect.objectContaining({ headers: { Authorization: 'Bearer new' } }),
    );
  });

  it('tells the server’s own problem', async () => {
    fetch.mockResolvedValue(answer(409, { code: 'export_not_ready', detail: 'The export is running' }));
    expect(await problem()).toMatchObject({ status: 409, code: 'export_not_ready', requestId: 'r-1' });
  });

  it('tells that the server cannot be reached, at once or in the middle of the file', async () => {
    fetch.mockRejectedValueOnce(new TypeError('Failed to fetch'));
    expect(await problem()).toMatchObject({ status: 0, code: 'unreachable' });
    fetch.mockResolvedValue({ ...answer(200), blob: () => Promise.reject(new TypeError('network error')) });
    expect(await problem()).toMatchObject({ status: 0, code: 'unreachable' });
  });
});
