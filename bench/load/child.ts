import { connect, type Socket } from 'node:net';
import { answer } from '../processes/child';
import { now } from '../processes/clock';
import type { Reply } from '../simulator/poster';
import { type Accepted, Generator, type LoadSettings } from './generator';

let generator: Generator | undefined;
let feed: Socket | undefined;

const methods = {
  prepare: async (settings: LoadSettings): Promise<void> => {
    generator?.close();
    feed?.destroy();
    const made = new Generator(settings);
    generator = made;
    if (settings.feedPort === undefined) return;
    let rest = '';
    feed = connect(settings.feedPort, '127.0.0.1').setEncoding('utf8');
    feed.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const id of lines) made.settled(id);
    });
    await new Promise((resolve, reject) => feed?.once('connect', resolve).once('error', reject));
  },
  paced: ({ perSecond, count }: { perSecond: number; count: number }): Promise<void> | undefined =>
    generator?.paced(perSecond, count),
  closed: (run: { inFlight: number; seconds: number }): Promise<void> | undefined =>
    generator?.closed(run.inFlight, run.seconds),
  /** Some other call of the API, timed from before it is sent until its answer is there. */
  call: async (call: {
    path: string;
    body: object;
    token: string;
  }): Promise<Reply & { sentAt: number; answeredAt: number }> => {
    if (!generator) throw new Error('not prepared');
    const sentAt = now();
    const reply = await generator.call(call.path, call.body, call.token);
    return { sentAt, answeredAt: now(), ...reply };
  },
  accepted: (_: null): Accepted[] => generator?.takeAccepted() ?? [],
  troubles: (_: null): string[] => generator?.troubles ?? [],
};
export type LoadMethods = typeof methods;

answer(methods);
