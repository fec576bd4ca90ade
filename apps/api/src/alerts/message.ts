import type { AlertMessage } from '@gwanje/contracts';

const STATE: Record<AlertMessage['state'], string> = { firing: 'Alert', resolved: 'Resolved', test: 'Test' };
const KIND: Record<AlertMessage['kind'], string> = {
  client_offline: 'A client is offline',
  command_failed: 'A command failed',
  backlog: 'Many commands wait',
  error_rate: 'Many commands fail',
  test: 'A test of this channel',
};

/** A message as people read it; `consoleUrl` is where the console is, if that is known. */
export function mailOf({ kind, rule, state, subject, detail, at }: AlertMessage, consoleUrl: string | undefined): { subject: string; text: string } {
  const about = subject && subject.type !== 'rule' ? ` (${subject.name})` : '';
  const details = Object.entries(detail).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${textOf(value)}`);
  const lines = [
    `${KIND[kind]}${state === 'resolved' ? ': it is over' : ''}.`,
    '',
    `Rule: ${rule.name}`,
    ...(subject ? [`${subject.type === 'rule' ? 'All clients of the rule' : subject.type}: ${subject.name}`] : []),
    `At: ${at}`,
    ...details,
    ...(consoleUrl ? ['', linkOf(consoleUrl, subject)] : []),
  ];
  return { subject: `[Gwanje] ${STATE[state]}: ${rule.name}${about}`, text: lines.map(oneLine).join('\n') };
}

function linkOf(consoleUrl: string, subject: AlertMessage['subject']): string {
  const page = subject && subject.type !== 'rule' ? `${subject.type}s/${subject.id}` : 'alerts';
  return `${consoleUrl.replace(/\/+$/, '')}/${page}`;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What machines and people sent cannot pass for another line. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
