import { signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import type { News, User } from '../http/wire';
import { Session } from '../session/session';
import { EventStream, FETCH } from './event-stream';
import { Line, settle } from './fake-line';

const command = (id: string): string => `id: c-${id}\nevent: command\ndata: {"id":"${id}","status":"running"}\n\n`;

describe('the event stream', () => {
  const user = signal<User | null>(null);
  const session = { user, token: 't1', refresh: jest.fn() };
  let lines: Line[];
  let stream: EventStream;
  let seen: News['command'][];
  let openings: number;
  const line = (): Line => lines.at(-1) as Line;

  beforeEach(async () => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(1);
    user.set(null);
    session.refresh.mockReset();
    lines = [];
    seen = [];
    openings = 0;
    const fetch = (_url: string, init: RequestInit): Promise<unknown> => {
      lines.push(new Line(init));
      return line().response;
    };
    TestBed.configureTestingModule({
      providers: [
        { provide: Session, useValue: session },
        { provide: FETCH, useValue: fetch },
      ],
    });
    stream = TestBed.inject(EventStream);
    stream.news('command').subscribe((news) => seen.push(news));
    stream.opened.subscribe(() => openings++);
    user.set({ id: 'u1' } as User);
    TestBed.tick();
    await settle();
  });
  afterEach(() => {
    user.set(null);
    TestBed.tick();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('opens with the token when somebody is logged in, and is live only when the server answered', async () => {
    expect(line().headers).toMatchObject({ Authorization: 'Bearer t1', Accept: 'text/event-stream' });
    expect(stream.connection()).toEqual({ state: 'connecting' });
    await line().respond(200);
    expect(stream.connection()).toEqual({ state: 'live' });
    expect(openings).toBe(1);
  });

  it('reads events that arrive in pieces, also cut within a letter, and skips comments and unknown events', async () => {
    await line().respond(200);
    const bytes = new TextEncoder().encode(`: alive\n\nevent: other\ndata: 1\n\n${command('가')}${command('2')}`);
    for (let at = 0; at < bytes.length; at += 5) await line().write(bytes.slice(at, at + 5));
    expect(seen.map(({ id }) => id)).toEqual(['가', '2']);
  });

  it('resumes where it was cut, after a growing wait, and says since when it is not live', async () => {
    await line().respond(200);
    await line().write(command('7'));
    await jest.advanceTimersByTimeAsync(6_000);
    const heard = Date.now() - 6_000;
    line().end();
    await settle();
    expect(stream.connection()).toEqual({ state: 'reconnecting', since: heard });
    await jest.advanceTimersByTimeAsync(499);
    expect(lines).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(lines).toHaveLength(2);
    expect(line().headers['Last-Event-ID']).toBe('c-7');
    for (const wait of [1_000, 2_000, 4_000, 8_000]) {
      const { length } = lines;
      await line().fail();
      await jest.advanceTimersByTimeAsync(wait - 1);
      expect(lines).toHaveLength(length);
      await jest.advanceTimersByTimeAsync(1);
      expect(lines).toHaveLength(length + 1);
    }
    expect(stream.connection()).toEqual({ state: 'stale', since: heard });
    await line().respond(200);
    expect(stream.connection()).toEqual({ state: 'live' });
    expect(openings).toBe(2);
  });

  it('waits longer each time for a server that hangs up at once', async () => {
    for (const wait of [500, 1_000, 2_000]) {
      const { length } = lines;
      await line().respond(200);
      line().end();
      await jest.advanceTimersByTimeAsync(wait - 1);
      expect(lines).toHaveLength(length);
      await jest.advanceTimersByTimeAsync(1);
      expect(lines).toHaveLength(length + 1);
    }
  });

  it('does not believe in a line that has gone silent', async () => {
    await line().respond(200);
    await jest.advanceTimersByTimeAsync(30_000);
    await line().write(': alive\n\n');
    await jest.advanceTimersByTimeAsync(34_000);
    expect(stream.connection().state).toBe('live');
    await jest.advanceTimersByTimeAsync(1_000);
    expect(lines[0]?.closed).toBe(true);
    expect(stream.connection().state).toBe('reconnecting');
  });

  it('tries at once when the network is back', async () => {
    await line().respond(200);
    line().end();
    await settle();
    window.dispatchEvent(new Event('online'));
    await settle();
    expect(lines).toHaveLength(2);
  });

  it('renews the token after a 401 and comes back with it', async () => {
    session.refresh.mockImplementation(() => {
      session.token = 't2';
      return Promise.resolve('t2');
    });
    await line().respond(401);
    expect(lines).toHaveLength(2);
    expect(line().headers['Authorization']).toBe('Bearer t2');
    session.token = 't1';
  });

  it('stays quiet on a server without a stream, until somebody asks for it', async () => {
    await line().respond(404);
    expect(stream.connection()).toEqual({ state: 'unavailable' });
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(lines).toHaveLength(1);
    stream.reconnect();
    await settle();
    expect(lines).toHaveLength(2);
  });

  it('gives up a cursor that the server refuses, not the stream', async () => {
    await line().respond(200);
    await line().write(command('7'));
    line().end();
    await jest.advanceTimersByTimeAsync(500);
    await line().respond(400);
    expect(stream.connection().state).toBe('reconnecting');
    await jest.advanceTimersByTimeAsync(1_000);
    expect(line().headers['Last-Event-ID']).toBeUndefined();
  });

  it('goes on after an event that it cannot read', async () => {
    await line().respond(200);
    await line().write('id: c-1\nevent: command\ndata: {oops\n\n');
    await jest.advanceTimersByTimeAsync(500);
    expect(line().headers['Last-Event-ID']).toBe('c-1');
    await line().respond(200);
    await line().write(command('2'));
    expect(seen.map(({ id }) => id)).toEqual(['2']);
  });

  it('is one stream: a renewed session keeps it, the end of the session closes it', async () => {
    await line().respond(200);
    await line().write(command('7'));
    user.set({ id: 'u1', name: 'renewed' } as User);
    TestBed.tick();
    expect(lines).toHaveLength(1);
    user.set(null);
    TestBed.tick();
    await settle();
    expect(lines[0]?.closed).toBe(true);
    expect(stream.connection()).toEqual({ state: 'off' });
    user.set({ id: 'u2' } as User);
    TestBed.tick();
    await settle();
    expect(lines).toHaveLength(2);
    expect(line().headers['Last-Event-ID']).toBeUndefined();
  });
});
