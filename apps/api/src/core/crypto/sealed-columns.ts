/** Where something sealed is kept. */
export interface SealedColumn {
  table: string;
  /** The uuid that tells one row from another. */
  id: string;
  column: string;
  /** SQL: the context in which the row's secret was sealed. */
  context: string;
}

/** Every column of the database that holds what `Cipher` sealed: a rotation of keys goes by this list. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'second_factors', id: 'user_id', column: 'secret', context: `'second-factor:' || user_id` },
  { table: 'commands', id: 'id', column: 'sealed_secrets', context: `'command:' || coalesce(batch_id, id)` },
  { table: 'alert_channels', id: 'id', column: 'secret', context: `'alerts.channel ' || id` },
];
