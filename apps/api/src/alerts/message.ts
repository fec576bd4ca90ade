import type { AlertMessage, ToldAlert } from '@gwanje/contracts';

const STATE: Record<AlertMessage['state'], string> = { firing: 'Alert', resolved: 'Resolved', test: 'Test' };
const KIND: Record<AlertMessage['kind'], string> = {
  client_offline: 'A client is offline',
  command_failed: 'A command failed',
  backlog: 'Many commands wait',
  error_rate: 'Many commands fail',
  test: 'A test of this channel',
};

/** What a delivery has to say: how many alerts, and the first of them. */
export interface Told {
  news: AlertMessage['state'];
  channelName: string;
  orderedAt: string;
  count: number;
  alerts: (ToldAlert & Pick<AlertMessage, 'kind' | 'rule'>)[];
}

/** A single alert as it is, many as a digest; nothing but a test tells of none. */
export function messageOf(deliveryId: string, { news: state, channelName, orderedAt, count, alerts }: Told): AlertMessage {
  const [first] = alerts;
  if (!first) {
    return { id: deliveryId, kind: 'test', rule: { id: null, name: channelName }, state, subject: null, detail: {}, at: orderedAt };
  }
  if (count === 1) return { ...first, state };
  const named = alerts.map(({ id, subject, detail, at }) => ({ id, subject, detail, at }));
  return { id: deliveryId, kind: first.kind, rule: first.rule, state, subject: null, detail: {}, at: first.at, digest: { count, alerts: named } };
}

/** A message as people read it; `consoleUrl` is where the console is, if that is known. */
export function mailOf(message: AlertMessage, consoleUrl: string | undefined): { subject: string; text: string } {
  const { kind, rule, state, subject, detail, at, digest } = message;
  const about = digest ? ` (${digest.count} times)` : subject && subject.type !== 'rule' ? ` (${subject.name})` : '';
  const lines = [
    `${KIND[kind]}${state === 'resolved' ? ': it is over' : ''}${digest ? `, ${digest.count} times` : ''}.`,
    '',
    `Rule: ${rule.name}`,
    ...(subject ? [`${subject.type === 'rule' ? 'All clients of the rule' : subject.type}: ${subject.name}`] : []),
    `At: ${at}`,
    ...detailsOf(detail),
    ...(digest ? ['', ...namesOf(digest)] : []),
    ...(consoleUrl ? ['', linkOf(consoleUrl, subject)] : []),
  ];
  return { subject: `[Gwanje] ${STATE[state]}: ${rule.name}${about}`, text: lines.map(oneLine).join('\n') };
}

function namesOf({ count, alerts }: NonNullable<AlertMessage['digest']>): string[] {
  const more = count - alerts.length;
  return [...alerts.map(({ subject, detail }) => `- ${[subject.name, ...detailsOf(detail)].join(', ')}`), ...(more > 0 ? [`and ${more} more.`] : [])];
}

const detailsOf = (detail: Record<string, unknown>): string[] =>
  Object.entries(detail).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${textOf(value)}`);

function linkOf(consoleUrl: string, subject: AlertMessage['subject']): string {
  const page = subject && subject.type !== 'rule' ? `${subject.type}s/${subject.id}` : 'alerts';
  return `${consoleUrl.replace(/\/+$/, '')}/${page}`;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What machines and people sent cannot pass for another line. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
