import { FAULTS, type Finding } from './checker';
import type { History } from './history';
import { type Outcome, type Plan, totalOf } from './run';

/** Of each kind. */
const MOST_SHOWN = 2;

/** The table of one run, the kinds of findings, and for the first of each the seed and the merged history of their command. */
export function describeOutcome(plan: Plan, { findings, history, injections, settledAfter }: Outcome): string {
  const states = countBy(history.rows, ({ status }) => status);
  const unknown = history.calls.filter(({ status }) => status === null).length;
  const lines: [string, string][] = [
    ['seed', `${plan.seed}`],
    ['commands', `${history.rows.length} (${[...states].map(([state, count]) => `${count} ${state}`).join(', ')})`],
    ['calls of clients', `${history.calls.length}, of which ${unknown} with unknown outcome`],
    ['effects outside', `${history.effects.length}`],
    ['injections', `${totalOf(injections)}`],
    ...[...injections]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]): [string, string] => [`  ${name}`, `${count}`]),
    [
      'settled after the last fault',
      settledAfter === null ? 'NOT within the bound' : `${(settledAfter / 1000).toFixed(1)} s`,
    ],
    ...FAULTS.map((fault): [string, string] => [
      fault,
      `${findings.filter((finding) => finding.fault === fault).length}`,
    ]),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  const table = lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
  const kinds = [...countBy(findings, ({ fault, why }) => `${fault}: ${kindOf(why)}`)].map(
    ([kind, count]) => `${count} × ${kind}`,
  );
  const told = new Map<string, number>();
  const shown = findings.filter(({ fault, why }) => {
    const kind = `${fault}: ${kindOf(why)}`;
    told.set(kind, (told.get(kind) ?? 0) + 1);
    return (told.get(kind) ?? 0) <= MOST_SHOWN;
  });
  const stories = shown.map((finding) => describeFinding(plan.seed, finding, history));
  return [table, ...(kinds.length > 0 ? [kinds.join('\n')] : []), ...stories].join('\n\n');
}

function describeFinding(seed: number, { fault, commandId, why }: Finding, history: History): string {
  const head = `${fault.toUpperCase()} (seed ${seed}): ${commandId ?? ''} ${why}`;
  if (!commandId) return head;
  const ids = commandId.split(' ');
  const tags = new Set(history.rows.filter(({ id }) => ids.includes(id)).map(({ tag }) => tag));
  const events: [number, string][] = [
    ...history.calls
      .filter((call) => (call.kind === 'create' ? tags.has(call.tag) : ids.includes(call.id)))
      .map((call): [number, string] => [
        call.at,
        `client    ${call.kind} ${call.status ?? 'unknown'} ${JSON.stringify(call)}`,
      ]),
    ...history.logs
      .filter((log) => ids.includes(log.commandId))
      .map((log): [number, string] => [
        log.at,
        `postgres  ${log.revision} ${log.event} attempt ${log.attempt} ${JSON.stringify(log.data)}`,
      ]),
  ];
  const clients = new Set(history.rows.filter(({ id }) => ids.includes(id)).map(({ clientId }) => clientId));
  const times = events.map(([at]) => at);
  const [from, to] = [Math.min(...times) - 1_000, Math.max(...times) + 1_000];
  for (const { clientId, at } of history.agentEnds)
    if (clients.has(clientId) && at >= from && at <= to) events.push([at, 'machine   the agent ended']);
  events.sort(([a], [b]) => a - b);
  return [
    head,
    ...events.map(([at, text]) => `  ${new Date(at).toISOString().slice(11)}  ${text}`),
    ...history.rows
      .filter(({ id }) => ids.includes(id))
      .map((row) => `  now           postgres  ${JSON.stringify(row)}`),
    ...history.effects
      .filter((effect) => ids.includes(effect.commandId))
      .map((effect) => `  in order      oracle    attempt ${effect.attempt} of ${effect.tag}`),
    ...history.entries
      .filter((entry) => ids.includes(entry.commandId))
      .map((entry) => `  now           journal   ${JSON.stringify(entry)}`),
    ...history.audits
      .filter((audit) => ids.includes(audit.commandId))
      .map((audit) => `                audit     ${audit.action} ${audit.outcome} ${JSON.stringify(audit.detail)}`),
  ].join('\n');
}

/** Two that differ in their ids and figures only are one. */
const kindOf = (why: string): string =>
  (why.split('\n')[0] ?? '')
    .replace(/[0-9a-f-]{36}/g, ':id')
    .replace(/\d+/g, 'N')
    .slice(0, 160);

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
