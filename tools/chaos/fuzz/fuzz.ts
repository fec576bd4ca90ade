import fc from 'fast-check';
import { Agent, type IncomingMessage, request } from 'node:http';
import { routesOf } from './document';
import { type Attempt, malformed } from './malformed';
import type { Target } from './target';

const AT_ONCE = 32;
const AT_ONE_TIME = 500;
const PATIENCE_MS = 20_000;
const MOST_FAULTS = 20;

export interface FuzzOutcome {
  sent: number;
  routes: number;
  /** Routes that no call reached. */
  untried: string[];
  byStatus: Map<number, number>;
  /** The greatest lag of the server's event loop, in milliseconds. */
  lagMs: number;
  /** The first answers that no input excuses: from 500 on, none at all, or a refusal that is no problem document. */
  faults: string[];
}

/** Sends so many malformed calls, of every kind of caller, to every route of the API document; the seed repeats them. */
export async function fuzz(target: Target, seed: number, count: number): Promise<FuzzOutcome> {
  const routes = routesOf(await target.document());
  const connections = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const tried = new Set<string>();
  const byStatus = new Map<number, number>();
  const faults: string[] = [];
  let [sent, lagMs] = [0, 0];
  await target.lag();
  try {
    for (let round = 0; sent < count; round++) {
      const attempts = malformed(routes, [...target.callers.keys()], await target.things());
      const numRuns = Math.min(AT_ONE_TIME, count - sent);
      // Making them takes this process its time, in which the server rests.
      const left = fc.sample(attempts, { seed: seed + round, numRuns });
      const work = async (): Promise<void> => {
        for (let attempt = left.pop(); attempt; attempt = left.pop()) {
          const answer = await send(target, connections, attempt);
          sent++;
          tried.add(attempt.route);
          byStatus.set(answer.status, (byStatus.get(answer.status) ?? 0) + 1);
          if (answer.fault && faults.length < MOST_FAULTS) faults.push(`${describe(attempt)}\n    ${answer.fault}`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      target.requireAlive();
      lagMs = Math.max(lagMs, await target.lag());
    }
  } finally {
    connections.destroy();
  }
  const known = routes.map(({ method, path }) => `${method} ${path}`);
  return { sent, routes: known.length, untried: known.filter((route) => !tried.has(route)), byStatus, lagMs, faults };
}

/** Status 0 stands for no answer. */
function send(target: Target, agent: Agent | false, attempt: Attempt): Promise<{ status: number; fault?: string }> {
  const { method, path, body } = attempt;
  const token = target.callers.get(attempt.caller);
  // Node says nothing of the length of what it deletes with.
  const length = body && { 'Content-Length': `${body.length}` };
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...attempt.headers, ...length };
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port: target.port, agent, method, path: `${path}`, headers });
    outgoing.setTimeout(PATIENCE_MS, () => outgoing.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
    outgoing.once('response', (response) => void judge(response).then(resolve));
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      // The server may end a connection after a refusal while the next call is on its way: that one is judged on a connection of its own.
      if (agent && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) resolve(send(target, false, attempt));
      else resolve({ status: 0, fault: error.message });
    });
    outgoing.end(body ?? undefined);
  });
}

async function judge(response: IncomingMessage): Promise<{ status: number; fault?: string }> {
  const status = response.statusCode ?? 0;
  const type = response.headers['content-type'] ?? '';
  if (status < 400) {
    // What it says is not looked at, and a stream would not end.
    if (type.startsWith('text/event-stream')) response.destroy();
    else response.resume();
    return { status };
  }
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response as AsyncIterable<string>) text += part;
  if (status >= 500) return { status, fault: `${status} ${text.slice(0, 500)}` };
  if (type.startsWith('application/problem+json')) return { status };
  return { status, fault: `${status} as ${type}: ${text.slice(0, 200)}` };
}

function describe({ caller, method, path, headers, body }: Attempt): string {
  return `${caller}: ${method} ${path.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${body?.toString('latin1').slice(0, 300) ?? ''}`;
}

/** The table of one run. */
export function describeFuzz({ sent, routes, untried, byStatus, lagMs, faults }: FuzzOutcome): string {
  const statuses = [...byStatus].sort(([a], [b]) => a - b).map(([status, count]) => `${status || 'none'}: ${count}`);
  return [
    `malformed calls  ${sent}, to ${routes - untried.length} of ${routes} routes`,
    `by status        ${statuses.join(', ')}`,
    `event-loop lag   ${lagMs.toFixed(0)} ms at most`,
    `faults           ${faults.length}${faults.length === MOST_FAULTS ? ' or more' : ''}`,
    ...faults,
  ].join('\n');
}
