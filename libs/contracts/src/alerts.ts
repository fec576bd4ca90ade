/** Alerts on the wire: rules watch, channels carry the news to people and programs, deliveries say what became of it. */

export const ALERT_KINDS = ['client_offline', 'command_failed', 'backlog', 'error_rate'] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** Which clients a rule is about: all of them, or those for which every given part holds. */
export interface AlertScope {
  group?: string;
  labels?: Record<string, string>;
  clientId?: string;
}

/** What a rule waits for. `command_failed` tells of each failure once; the others fire, and resolve when it is over. */
export type AlertCondition = AlertScope &
  (
    | { kind: 'client_offline'; minutes: number }
    | { kind: 'command_failed'; action?: string }
    /** More than `over` commands that wait for these clients. */
    | { kind: 'backlog'; over: number }
    /** More than `percent` of what ended in the last `minutes` failed, where at least `atLeast` commands ended. */
    | { kind: 'error_rate'; percent: number; minutes: number; atLeast: number; action?: string }
  );

export interface AlertRule {
  id: string;
  name: string;
  enabled: boolean;
  condition: AlertCondition;
  /** Ids of the channels that are told. */
  channels: string[];
  createdAt: string;
}

export type AlertChannel = { id: string; name: string; createdAt: string } & (
  { kind: 'webhook'; url: string } | { kind: 'email'; addresses: string[] }
);

/** `rule` stands for all clients that the rule is about. */
export interface AlertSubject {
  type: 'client' | 'command' | 'rule';
  id: string;
  name: string;
}

export interface Alert {
  id: string;
  kind: AlertKind;
  /** The id is null when the rule is there no more. */
  rule: { id: string | null; name: string };
  subject: AlertSubject;
  detail: Record<string, unknown>;
  firedAt: string;
  /** Null while it goes on; a failed command is over when it is told. */
  resolvedAt: string | null;
}

export const ALERT_DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;
export type AlertDeliveryState = (typeof ALERT_DELIVERY_STATES)[number];

/** News for one channel, of one alert or of many of the same rule. Its id is the same at every try, so that receivers can tell a repetition. */
export interface AlertDelivery {
  id: string;
  news: 'firing' | 'resolved' | 'test';
  /** The first of them; null for a test. */
  alert: { id: string; rule: string; subject: string } | null;
  /** How many alerts it tells of. */
  count: number;
  channel: { id: string; name: string; kind: AlertChannel['kind'] };
  state: AlertDeliveryState;
  attempts: number;
  /** Why the last try failed. */
  lastError: string | null;
  createdAt: string;
  /** When it is tried next; null when it is not. */
  dueAt: string | null;
  deliveredAt: string | null;
}

/** One of those that a message tells of. */
export type ToldAlert = Pick<Alert, 'id' | 'detail'> & { subject: AlertSubject; at: string };

/** A message that tells of many names at most so many of them. */
export const MOST_NAMED = 20;

/** The body of a webhook. `X-Gwanje-Signature` is `sha256=` and the hex HMAC-SHA256 of `<X-Gwanje-Timestamp>.<body>` with the channel's secret. */
export interface AlertMessage {
  /** Of the alert, the same when it fires and when it resolves; of the delivery when it tells of many, or is a test. */
  id: string;
  kind: AlertKind | 'test';
  rule: { id: string | null; name: string };
  state: AlertDelivery['news'];
  subject: AlertSubject | null;
  detail: Record<string, unknown>;
  at: string;
  /** Only when it tells of many, whose rule and state are the same: how many, and the first of them. `subject` is then null. */
  digest?: { count: number; alerts: ToldAlert[] };
}
