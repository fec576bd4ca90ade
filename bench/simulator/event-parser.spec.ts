import fc from 'fast-check';
import { eventParser } from './event-parser';

describe('the parser of event streams', () => {
  const text =
    'event: hello\ndata: {}\n\n: alive\n\nid: 7\nevent: command\ndata: {"id":"7","echo":"명령: 1"}\n\ndata: plain\n\n';
  const events = [
    ['hello', '{}'],
    ['command', '{"id":"7","echo":"명령: 1"}'],
    ['message', 'plain'],
  ];

  it('reads the same events however the stream is cut into pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: text.length })), (cuts) => {
        const read: string[][] = [];
        const parse = eventParser((event, data) => read.push([event, data]));
        let from = 0;
        for (const to of [...cuts.sort((a, b) => a - b), text.length]) {
          parse(text.slice(from, to));
          from = to;
        }
        expect(read).toEqual(events);
      }),
    );
  });
});
