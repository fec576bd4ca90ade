import { createHash, randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { v7 as uuid } from 'uuid';
import type { Identity } from '../simulator/transport';

/** Machines by SQL, which is how ten thousand of them are there within a second; their keys are as good as any. */
export async function createClients(
  database: Client,
  prefix: string,
  count: number,
  concurrency: number,
  group: string,
): Promise<Identity[]> {
  const clients = Array.from({ length: count }, (_, n) => {
    const name = `${prefix}-${`${n + 1}`.padStart(5, '0')}`;
    return { id: uuid(), name, key: `sk_${name.replace('-', '')}_${randomBytes(24).toString('base64url')}` };
  });
  await database.query(
    `INSERT INTO clients (id, name, groups, concurrency) SELECT n.id, n.name, ARRAY[$3], $4 FROM unnest($1::uuid[], $2::text[]) AS n (id, name)`,
    [clients.map(({ id }) => id), clients.map(({ name }) => name), group, concurrency],
  );
  await database.query(
    `INSERT INTO client_keys (id, client_id, key_hash) SELECT n.id, n.client_id, n.hash FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS n (id, client_id, hash)`,
    [
      clients.map(() => uuid()),
      clients.map(({ id }) => id),
      clients.map(({ key }) => createHash('sha256').update(key).digest()),
    ],
  );
  return clients;
}
