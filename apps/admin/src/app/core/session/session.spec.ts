import { HttpClient, provideHttpClient, withInterceptors } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting } from '@angular/common/http/testing';
import { TestBed } from '@angular/core/testing';
import { firstValueFrom } from 'rxjs';
import type { Tokens } from '../http/wire';
import { Preferences } from '../preferences';
import { bearer } from './bearer.interceptor';
import { Session } from './session';

const tokens = (accessToken: string): Tokens => ({
  accessToken,
  expiresIn: 600,
  user: {
    id: 'u1',
    email: 'a@b.c',
    name: 'A',
    roles: [],
    permissions: [],
    secondFactor: { enabled: false, required: false, satisfied: true },
  },
});
const refused = { status: 401, statusText: 'Unauthorized' };
const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0).then(() => undefined);

describe('the session', () => {
  let server: HttpTestingController;
  let http: HttpClient;
  let session: Session;

  beforeEach(() => {
    jest.useFakeTimers();
    localStorage.clear();
    TestBed.configureTestingModule({
      providers: [provideHttpClient(withInterceptors([bearer])), provideHttpClientTesting()],
    });
    server = TestBed.inject(HttpTestingController);
    http = TestBed.inject(HttpClient);
    session = TestBed.inject(Session);
  });
  afterEach(() => {
    server.verify();
    jest.useRealTimers();
  });

  async function logIn(): Promise<void> {
    const done = session.logIn({ email: 'a@b.c', password: 'x' });
    server.expectOne('/api/auth/login').flush(tokens('t1'));
    await done;
  }

  it('keeps the token out of every storage', async () => {
    await logIn();
    expect(session.token).toBe('t1');
    expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain('t1');
    expect(document.cookie).toBe('');
  });

  it('makes no call for a visitor who never logged in', async () => {
    await session.restore();
    expect(session.user()).toBeNull();
  });

  it('takes up an earlier session, and forgets one that has ended', async () => {
    TestBed.inject(Preferences).write('session', '1');
    const restored = session.restore();
    server.expectOne('/api/auth/refresh').flush(tokens('t2'));
    await restored;
    expect(session.user()?.id).toBe('u1');

    const again = session.restore();
    server.expectOne('/api/auth/refresh').flush({}, refused);
    await again;
    expect(session.user()).toBeNull();
    expect(session.trouble()).toBeNull();
    await session.restore();
  });

  it('does not take a server that is away for the end of the session', async () => {
    TestBed.inject(Preferences).write('session', '1');
    const restored = session.restore();
    server.expectOne('/api/auth/refresh').error(new ProgressEvent('error'));
    await restored;
    expect(session.trouble()?.code).toBe('unreachable');
    expect(TestBed.inject(Preferences).read('session')).toBe('1');
  });

  it('renews the token before it runs out, and again after the server was away', async () => {
    await logIn();
    await jest.advanceTimersByTimeAsync(479_000);
    server.expectNone('/api/auth/refresh');
    await jest.advanceTimersByTimeAsync(1_000);
    server.expectOne('/api/auth/refresh').error(new ProgressEvent('error'));
    await settle();
    expect(session.token).toBe('t1');
    await jest.advanceTimersByTimeAsync(15_000);
    server.expectOne('/api/auth/refresh').flush(tokens('t2'));
    await settle();
    expect(session.token).toBe('t2');
  });

  it('reads again what the person may do, and takes nobody else’s answer or none for it', async () => {
    await logIn();
    const before = session.user();
    let read = session.readAgain();
    server.expectOne('/api/auth/me').flush(tokens('t1').user);
    await read;
    expect(session.user()).toBe(before);
    read = session.readAgain();
    server.expectOne('/api/auth/me').flush({ ...tokens('t1').user, permissions: ['commands.create'] });
    await read;
    expect(session.user()?.permissions).toEqual(['commands.create']);
    read = session.readAgain();
    server.expectOne('/api/auth/me').flush({ ...tokens('t1').user, id: 'u2' });
    await read;
    read = session.readAgain();
    server.expectOne('/api/auth/me').error(new ProgressEvent('error'));
    await read;
    expect(session.user()?.permissions).toEqual(['commands.create']);
  });

  it('adds the token to calls of the API only', async () => {
    await logIn();
    http.get('/api/commands').subscribe();
    http.get('https://elsewhere.example/api/x').subscribe();
    http.get('/favicon.svg').subscribe();
    expect(server.expectOne('/api/commands').request.headers.get('Authorization')).toBe('Bearer t1');
    expect(server.expectOne('https://elsewhere.example/api/x').request.headers.has('Authorization')).toBe(false);
    expect(server.expectOne('/favicon.svg').request.headers.has('Authorization')).toBe(false);
  });

  it('renews once for all calls that were refused, and repeats each with the new token', async () => {
    await logIn();
    const answers = Promise.all(['/api/a', '/api/b', '/api/c'].map((url) => firstValueFrom(http.get(url))));
    server.expectOne('/api/a').flush({}, refused);
    server.expectOne('/api/b').flush({}, refused);
    await settle();
    server.expectOne('/api/auth/refresh').flush(tokens('t2'));
    await settle();
    // This answer to the old token comes after the renewal: no second one for it.
    server.expectOne('/api/c').flush({}, refused);
    await settle();
    for (const url of ['/api/a', '/api/b', '/api/c']) {
      const call = server.expectOne(url);
      expect(call.request.headers.get('Authorization')).toBe('Bearer t2');
      call.flush({ url });
    }
    expect(await answers).toEqual([{ url: '/api/a' }, { url: '/api/b' }, { url: '/api/c' }]);
  });

  it('repeats a call once only, and logs out when the renewal is refused', async () => {
    await logIn();
    const twice = firstValueFrom(http.get('/api/a')).catch((error: { status: number }) => error.status);
    server.expectOne('/api/a').flush({}, refused);
    await settle();
    server.expectOne('/api/auth/refresh').flush(tokens('t2'));
    await settle();
    server.expectOne('/api/a').flush({}, refused);
    expect(await twice).toBe(401);
    expect(session.user()).not.toBeNull();

    const ended = firstValueFrom(http.get('/api/a')).catch((error: { status: number }) => error.status);
    server.expectOne('/api/a').flush({}, refused);
    await settle();
    server.expectOne('/api/auth/refresh').flush({ code: 'unauthorized' }, refused);
    expect(await ended).toBe(401);
    expect(session.user()).toBeNull();
    expect(session.token).toBeNull();
    expect(session.trouble()?.code).toBe('unauthorized');
    await logIn();
    expect(session.trouble()).toBeNull();
  });

  it('logs out after a renewal under way, which would log in again', async () => {
    await logIn();
    void session.refresh();
    const out = session.logOut();
    await settle();
    server.expectNone('/api/auth/logout');
    server.expectOne('/api/auth/refresh').flush(tokens('t2'));
    await settle();
    server.expectOne('/api/auth/logout').flush(null);
    await out;
    expect(session.user()).toBeNull();
    await jest.advanceTimersByTimeAsync(600_000);
  });

  it('gives no reason after a log-out, also of a session that had ended', async () => {
    await logIn();
    void session.refresh().catch(() => undefined);
    const out = session.logOut().catch(() => undefined);
    server.expectOne('/api/auth/refresh').flush({ code: 'unauthorized' }, refused);
    await settle();
    server.expectOne('/api/auth/logout').flush({ code: 'unauthorized' }, refused);
    await out;
    expect(session.user()).toBeNull();
    expect(session.trouble()).toBeNull();
  });

  it('logs out here when another tab does', async () => {
    await logIn();
    window.dispatchEvent(new StorageEvent('storage', { key: 'gwanje.session', newValue: null }));
    expect(session.user()).toBeNull();
  });
});
