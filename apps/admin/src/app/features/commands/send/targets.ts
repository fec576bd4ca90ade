import type { Targets } from '../commands-api';

export const TARGET_KINDS = ['clients', 'groups', 'labels', 'all'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];

/** What a person has chosen; only what belongs to `kind` counts. */
export interface Choice {
  kind: TargetKind;
  clients: readonly string[];
  groups: readonly string[];
  /** Each `key=value`; a machine must have all of them. */
  labels: readonly string[];
}

export const LABEL = /^[^=\s]+=[^=]*\S$/;

/** As the API wants it; null while nothing is chosen. */
export function targetsOf({ kind, clients, groups, labels }: Choice): Targets | null {
  if (kind === 'all') return { all: true };
  if (kind === 'clients') return clients.length > 0 ? { clientIds: [...clients] } : null;
  if (kind === 'groups') return groups.length > 0 ? { groups: [...groups] } : null;
  if (labels.length === 0) return null;
  return { labels: Object.fromEntries(labels.map((label) => label.split('=', 2) as [string, string])) };
}

/** The client, when exactly one is named: then it is one command and no batch. */
export const onlyClient = ({ kind, clients }: Choice): string | null =>
  kind === 'clients' && clients.length === 1 ? (clients[0] ?? null) : null;
