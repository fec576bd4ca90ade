import type { Client } from 'pg';
import { sleep } from '../../servers/process';
import { withClient } from '../witnesses';

/** What PostgreSQL says of one client's connection. */
export interface Presence {
  id: string;
  status: string;
  gatewayId: string | null;
  connectionId: string | null;
}

const LOOK_MS = 50;

export async function presences(url: string): Promise<Map<string, Presence>> {
  return withClient(url, read);
}

/** Milliseconds from now until `happened` is true of each of these; those for which it never is within the bound get Infinity. */
export async function whenEach(
  url: string,
  ids: Iterable<string>,
  happened: (now: Presence) => boolean,
  boundMs: number,
): Promise<Map<string, number>> {
  const began = performance.now();
  const left = new Set(ids);
  const when = new Map([...left].map((id) => [id, Infinity]));
  // One connection for all looks: to log in again for each would take the machine from those who are looked at.
  await withClient(url, async (client) => {
    while (left.size > 0 && performance.now() - began < boundMs) {
      const now = await read(client, [...left]);
      for (const id of left) {
        const presence = now.get(id);
        if (!presence || !happened(presence)) continue;
        when.set(id, performance.now() - began);
        left.delete(id);
      }
      await sleep(LOOK_MS);
    }
  });
  return when;
}

/** All of them where nobody is named. */
async function read(client: Client, ids?: readonly string[]): Promise<Map<string, Presence>> {
  const { rows } = await client.query<Presence>(
    `SELECT id, status, gateway_id AS "gatewayId", connection_id AS "connectionId" FROM clients WHERE $1::uuid[] IS NULL OR id = ANY ($1)`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}
