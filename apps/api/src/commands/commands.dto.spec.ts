import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import fc from 'fast-check';
import { AgentFrameDto } from './agent-frames.dto';
import { CreateCommandDto, ResultDto, SessionDto, StartDto } from './commands.dto';
import { DtoPipe } from '../core/http/validation';

const ORDINAL = { journal: '01890a5d-ac96-774b-bcce-b302099a8057', number: 1 };
/** Small pieces that are valid, nearly valid and not valid, so that every rule is met from both sides. */
const value = fc.oneof(
  fc.constantFrom(0, 1, -1, 10, 11, 0.5, 100, 101, 604_800_000, 604_800_001, 1e300, true, false, null, '', 'noop', 'x'.repeat(100), 'x'.repeat(101), '😀'.repeat(100), '😀'.repeat(101)),
  fc.constantFrom('refused', 'timed_out', 'start', 'result', '2026-01-31', {}, { a: { b: [null] } }, [], ['a']),
  fc.constantFrom([{ name: 'noop' }], [{ name: 'noop', schema: { type: 'object' } }], [{ name: 'noop', other: 1 }], [{ schema: {} }], ORDINAL, { ...ORDINAL, number: 0.5 }),
  fc.constantFrom({ ...ORDINAL, journal: ORDINAL.journal.toUpperCase() }, { ...ORDINAL, journal: 'none' }, [{ id: ORDINAL.journal, attempt: 1, state: 'started' }]),
  fc.jsonValue({ maxDepth: 2 }),
);
const name = fc.constantFrom(
  'clientId', 'action', 'payload', 'priority', 'timeoutMs', 'maxAttempts', 'notBefore', 'attempt', 'success', 'data', 'error', 'durationMs', 'outcome', 'event', 'ref', 'other', 'constructor',
  'version', 'platform', 'actions', 'inFlight', 'ordinal',
);

describe('A hot body', () => {
  const pipe = new DtoPipe();
  const held = async (metatype: Type, body: object): Promise<unknown> =>
    pipe.transform(structuredClone(body), { type: 'body', metatype }).then(
      (dto: unknown) => ({ accepted: dto }),
      (error: { errors: object[] }) => ({ refused: error.errors.map((fault) => JSON.stringify(fault)).sort() }),
    );
  /** The same rules, inherited, and no schema that accepts by itself. */
  const slow = (metatype: Type): Type => class extends metatype {};

  it.each([[CreateCommandDto, { clientId: 'till-1', action: 'noop' }], [StartDto, {}], [ResultDto, { success: true }],
    [AgentFrameDto, { event: 'result', ref: 1, data: {} }],
    [SessionDto, { version: '1', platform: 'linux', actions: [{ name: 'noop' }], inFlight: [], ordinal: ORDINAL }]] as [Type, object][])(
    'accepts by its schema only what the decorators of %p accept, and gives the same',
    async (metatype, valid) => {
      let accepted = 0;
      await fc.assert(
        fc.asyncProperty(fc.dictionary(name, value, { maxKeys: 4 }), fc.boolean(), async (random, complete) => {
          const body = complete ? { ...valid, ...random } : random;
          const fast = await held(metatype, body);
          expect(fast).toEqual(await held(slow(metatype), body));
          if ('accepted' in (fast as object)) accepted++;
        }),
        { numRuns: 2_000 },
      );
      expect(accepted).toBeGreaterThan(50);
    },
  );
});
