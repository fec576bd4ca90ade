import { provideHttpClient } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting, type TestRequest } from '@angular/common/http/testing';
import { DOCUMENT } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { NavigationStart, Router } from '@angular/router';
import { Subject } from 'rxjs';
import { NewVersion } from './new-version';
import { Preferences } from './preferences';

const MISSING = new TypeError('Failed to fetch dynamically imported module: /chunk-ABCDEFGH.js');

describe('a part of the console that does not come', () => {
  const location = { assign: jest.fn() };
  const kept = new Map<string, string>();
  const preferences = {
    read: (name: string) => kept.get(name) ?? null,
    write: (name: string, value: string) => kept.set(name, value),
  };
  let events: Subject<unknown>;
  let server: HttpTestingController;
  let version: NewVersion;

  beforeEach(() => {
    kept.clear();
    location.assign.mockReset();
    events = new Subject();
    TestBed.configureTestingModule({
      providers: [
        provideHttpClient(),
        provideHttpClientTesting(),
        { provide: DOCUMENT, useValue: { location } },
        { provide: Preferences, useValue: preferences },
        { provide: Router, useValue: { events } },
      ],
    });
    server = TestBed.inject(HttpTestingController);
    version = TestBed.inject(NewVersion);
  });
  afterEach(() => server.verify());

  async function load(answer: (call: TestRequest) => void): Promise<void> {
    const done = version.load(MISSING, '/audit?x=1');
    const call = server.expectOne('/');
    expect(call.request).toMatchObject({ method: 'GET', cache: 'no-store' });
    answer(call);
    await done;
  }

  it('is loaded with the new version, from a server that answers; once in a while', async () => {
    await load((call) => call.flush('<html></html>'));
    expect(location.assign).toHaveBeenCalledWith('/audit?x=1');
    await load((call) => call.flush('<html></html>'));
    expect(location.assign).toHaveBeenCalledTimes(1);
    expect(version.problem()?.code).toBe('unknown');
  });

  it('leaves the person where they are while the server is away, and says so until the next page', async () => {
    await load((call) => call.error(new ProgressEvent('error')));
    expect(location.assign).not.toHaveBeenCalled();
    expect(version.problem()?.code).toBe('unreachable');
    events.next(new NavigationStart(2, '/clients'));
    expect(version.problem()).toBeNull();
    await load((call) => call.flush('<html></html>'));
    expect(location.assign).toHaveBeenCalledTimes(1);
  });

  it('is no matter of other errors', async () => {
    await version.load(new Error('a page that is broken'), '/audit');
    expect(location.assign).not.toHaveBeenCalled();
  });
});
