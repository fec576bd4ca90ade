import { type CommandState, isLegalMove } from '@gwanje/contracts';
import * as fc from 'fast-check';
import { eventually, TestEnvironment } from './support/environment';
import type { FakeAgent } from './support/fake-agent';

/** What one command is, as far as its callers can tell. */
interface State {
  status: CommandState;
  attempt: number;
  /** The latest result that was taken, and the attempt that it was of. */
  reported: { attempt: number; success: boolean } | null;
  /** The attempts whose output, the same each time, was taken. */
  printed: readonly number[];
}

/** `late` counts back from the attempt that is current when the round begins: 0 is that one. */
type Call =
  | { kind: 'start'; late: number }
  | { kind: 'output'; late: number }
  | { kind: 'result'; late: number; success: boolean }
  | { kind: 'cancel' }
  | { kind: 'retry' };
/** Callers who come at the same moment, or a point in time that passes. */
type Round = { calls: Call[] } | { passes: 'expiresAt' | 'deadline' };

interface Answered {
  call: Call;
  attempt: number;
  status: number;
}

const TAKES_OUTPUT: readonly CommandState[] = ['dispatched', 'running', 'timed_out'];
const TAKES_RESULT: readonly CommandState[] = ['dispatched', 'running', 'timed_out', 'indeterminate'];
const RETRYABLE: readonly CommandState[] = ['failed', 'cancelled', 'expired', 'timed_out', 'indeterminate'];

/** The state machine as its callers know it: what a call is answered with, and what the command is then. */
function step(state: State, { call, attempt }: Omit<Answered, 'status'>): [status: number, next: State] {
  const conflict: [number, State] = [409, state];
  const moved = (status: CommandState, change: Partial<State> = {}): [number, State] => [200, { ...state, status, ...change }];
  switch (call.kind) {
    case 'start':
      if (attempt !== state.attempt) return conflict;
      if (state.status === 'running') return [200, state];
      return state.status === 'dispatched' ? moved('running') : conflict;
    case 'output':
      if (state.printed.includes(attempt)) return [200, state];
      if (attempt !== state.attempt || !TAKES_OUTPUT.includes(state.status)) return conflict;
      return [200, { ...state, printed: [...state.printed, attempt] }];
    case 'result':
      if (state.reported?.attempt === attempt) return state.reported.success === call.success ? [200, state] : conflict;
      if (attempt !== state.attempt || !TAKES_RESULT.includes(state.status)) return conflict;
      return moved(call.success ? 'completed' : 'failed', { reported: { attempt, success: call.success } });
    case 'cancel':
      if (state.status === 'running') return [200, state];
      return state.status === 'pending' || state.status === 'dispatched' ? moved('cancelled') : conflict;
    case 'retry':
      return RETRYABLE.includes(state.status) ? moved('pending', { attempt: state.attempt + 1 }) : conflict;
  }
}

/** All states that some order of the calls explains, given how each was answered; a waiting command may be claimed in between. */
function explanations(state: State, answered: readonly Answered[]): State[] {
  const claimed = state.status === 'pending' ? explanations({ ...state, status: 'dispatched' }, answered) : [];
  if (answered.length === 0) return [state, ...claimed];
  const next = answered.flatMap((one, index) => {
    const [status, after] = step(state, one);
    return status === one.status ? explanations(after, answered.filter((_, other) => other !== index)) : [];
  });
  return [...next, ...claimed];
}

const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ kind: fc.constant('start' as const), late: fc.constantFrom(0, 0, 0, 1) }),
  fc.record({ kind: fc.constant('output' as const), late: fc.constantFrom(0, 0, 1) }),
  fc.record({ kind: fc.constant('result' as const), late: fc.constantFrom(0, 0, 1), success: fc.constantFrom(false, false, true) }),
  fc.record({ kind: fc.constantFrom('cancel' as const, 'retry' as const, 'retry' as const) }),
);
const round: fc.Arbitrary<Round> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ calls: fc.array(call, { minLength: 1, maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ passes: fc.constantFrom('expiresAt' as const, 'deadline' as const) }) },
);

/** Whatever concurrent callers are answered, some order of their calls explains it, and what the command is afterwards. */
describe('the state machine of a command', () => {
  let env: TestEnvironment;
  let client: { id: string; clientKey: string };
  let agent: FakeAgent;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    client = await env.client('model', { concurrency: 1_000 });
    agent = await env.connect(client);
  });
  afterAll(() => env.destroy());

  const say = async (id: string, one: Call, attempt: number): Promise<number> => {
    const path = `/api/commands/${id}/${one.kind}`;
    if (one.kind === 'cancel' || one.kind === 'retry') return (await env.post(path)).status;
    if (one.kind === 'start') return agent.post(path, { attempt });
    if (one.kind === 'output') return agent.post(path, { attempt, chunks: [{ seq: 0, stream: 'stdout', text: 'x' }] });
    return agent.post(path, { attempt, success: one.success });
  };
  const read = async (id: string): Promise<{ status: CommandState; attempt: number }> => {
    const { body } = await env.get(`/api/commands/${id}`).expect(200);
    return body as { status: CommandState; attempt: number };
  };
  /** Waits until nothing is on its way any more: what waits is claimed. */
  const rest = async (id: string): Promise<{ status: CommandState; attempt: number }> => {
    await eventually(async () => expect((await read(id)).status).not.toBe('pending'));
    return read(id);
  };

  const pass = async (id: string, state: State, time: 'expiresAt' | 'deadline'): Promise<State> => {
    const [from, to, past] =
      time === 'expiresAt'
        ? ([['dispatched'], 'expired', `expires_at = now() - interval '1 second'`] as const)
        : ([['dispatched', 'running'], 'timed_out', `deadline_at = now(), started_at = started_at - make_interval(secs => timeout_ms / 1000.0)`] as const);
    await env.sql(`UPDATE commands SET ${past} WHERE id = $1`, [id]);
    if (!(from as readonly CommandState[]).includes(state.status)) return state;
    await env.reaches(id, to);
    return { ...state, status: to };
  };

  const play = async (rounds: readonly Round[]): Promise<void> => {
    const id = await env.command(client.id);
    let state: State = { status: 'dispatched', attempt: 1, reported: null, printed: [] };
    expect(await rest(id)).toMatchObject({ status: 'dispatched', attempt: 1 });
    for (const each of rounds) {
      if ('passes' in each) {
        state = await pass(id, state, each.passes);
        continue;
      }
      const { attempt: current } = state;
      const answered = await Promise.all(
        each.calls.map(async (one): Promise<Answered> => {
          const attempt = Math.max(1, current - ('late' in one ? one.late : 0));
          return { call: one, attempt, status: await say(id, one, attempt) };
        }),
      );
      const seen = await rest(id);
      const [explained] = explanations(state, answered).filter(({ status, attempt }) => status === seen.status && attempt === seen.attempt);
      if (!explained) throw new Error(`no order explains ${JSON.stringify({ before: state, answered, after: { status: seen.status, attempt: seen.attempt } })}`);
      state = explained;
    }
    await requireLegalHistory(id);
  };

  /** Without gaps, every move legal, every attempt one after the one before. */
  const requireLegalHistory = async (id: string): Promise<void> => {
    const logs = await env.sql<{ revision: number; event: string; attempt: number }>(
      'SELECT revision, event_type AS event, attempt FROM command_logs WHERE command_id = $1 ORDER BY revision', [id],
    );
    expect(logs.map(({ revision }) => revision)).toEqual(logs.map((_, index) => index + 1));
    const moves = logs.filter(({ event }) => event !== 'cancel_requested');
    const stateOf = (event: string): CommandState => (event === 'created' || event === 'retry' ? 'pending' : (event as CommandState));
    for (const [index, to] of moves.entries()) {
      const from = moves[index - 1];
      if (!from) continue;
      expect([from.event, to.event, isLegalMove(stateOf(from.event), stateOf(to.event))]).toEqual([from.event, to.event, true]);
      expect(to.attempt).toBe(from.attempt + (to.event === 'retry' ? 1 : 0));
    }
  };

  it('answers concurrent callers as if they had come one after another', async () => {
    await fc.assert(fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 8 }), play), { numRuns: 60 });
  }, 120_000);

  it('gives the callers who come with one key at the same moment one command', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uuid(), fc.integer({ min: 2, max: 8 }), fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), async (key, callers, others) => {
        const order = (other: boolean): object => ({ clientId: client.id, action: 'noop', payload: { echo: other } });
        const answers = await Promise.all(others.slice(0, callers).map((other) => env.post('/api/commands', order(other)).set('Idempotency-Key', key)));
        const taken = answers.filter(({ status }) => status === 201).map(({ body }) => body as { id: string; payload: { echo: boolean } });
        expect(new Set(taken.map(({ id }) => id)).size).toBe(1);
        // Those with another body are told so, and only they.
        const echo = taken[0]?.payload.echo;
        expect(answers.map(({ status }) => status)).toEqual(others.slice(0, callers).map((other) => (other === echo ? 201 : 409)));
        const [{ count } = { count: 0 }] = await env.sql<{ count: number }>('SELECT count(*)::integer AS count FROM commands WHERE id = ANY($1)', [taken.map(({ id }) => id)]);
        expect(count).toBe(1);
      }),
      { numRuns: 20 },
    );
  });
});
