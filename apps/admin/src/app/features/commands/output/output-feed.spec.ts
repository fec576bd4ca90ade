import { TestBed } from '@angular/core/testing';
import { Line, settle } from '../../../core/events/fake-line';
import { FETCH } from '../../../core/events/event-stream';
import { Session } from '../../../core/session/session';
import { OutputFeed } from './output-feed';

describe('what a command prints', () => {
  const lines: Line[] = [];
  let feed: OutputFeed;

  beforeEach(async () => {
    jest.useFakeTimers();
    lines.length = 0;
    const open = (address: string, init: RequestInit): Promise<unknown> => {
      expect(address).toBe('/api/commands/c1/stream');
      lines.push(new Line(init));
      return (lines.at(-1) as Line).response;
    };
    TestBed.configureTestingModule({
      providers: [OutputFeed, { provide: FETCH, useValue: open }, { provide: Session, useValue: { token: 't' } }],
    });
    feed = TestBed.inject(OutputFeed);
    feed.watch('c1');
    await lines[0]?.respond(200);
  });
  afterEach(() => jest.useRealTimers());

  const say = async (event: string, data: object, id: string): Promise<void> =>
    lines.at(-1)?.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const print = (text: string, id: string, stream = 'stdout', attempt = 1): Promise<void> =>
    say('output', { attempt, stream, text }, id);
  const shown = (): string[] => feed.lines.map(({ stream, text }) => `${stream}: ${text}`);

  it('is cut into lines, however it comes, each stream for itself', async () => {
    await print('one\ntw', '1.1');
    await print('oops\n', '1.2', 'stderr');
    await print('o\nthree', '1.3');
    expect(shown()).toEqual(['stdout: one', 'stdout: two', 'stderr: oops', 'stdout: three']);
    await print('\n\nlast\n', '1.4');
    expect(shown().slice(3)).toEqual(['stdout: three', 'stdout: ', 'stdout: last']);
  });

  it('goes on after a break where it was', async () => {
    await print('one\n', '1.1');
    lines[0]?.end();
    await settle();
    expect(feed.state()).toBe('reconnecting');
    await jest.advanceTimersByTimeAsync(10_000);
    expect(lines[1]?.headers['Last-Event-ID']).toBe('1.1');
    await lines[1]?.respond(200);
    await print('two\n', '1.2');
    expect(shown()).toEqual(['stdout: one', 'stdout: two']);
    expect(feed.state()).toBe('live');
  });

  it('ends with the command, is not asked for again, and goes on with a retry', async () => {
    await say('progress', { attempt: 1, percent: 40 }, '2.0');
    expect(feed.progress()).toMatchObject({ percent: 40 });
    await print('first\n', '2.1');
    await say('status', { status: 'failed', attempt: 1 }, '3.1');
    expect([feed.state(), feed.progress(), lines[0]?.closed]).toEqual(['over', null, true]);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(lines).toHaveLength(1);
    feed.resume('c1');
    await lines[1]?.respond(200);
    await say('status', { status: 'pending', attempt: 2 }, '4.1');
    await print('second\n', '4.2', 'stdout', 2);
    expect(shown()).toEqual(['stdout: first', 'mark: 2', 'stdout: second']);
  });

  it('knows that there is nothing left to tell', async () => {
    feed.watch('c1');
    await lines[1]?.respond(204);
    expect(feed.state()).toBe('over');
  });
});
