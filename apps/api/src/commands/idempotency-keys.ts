import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { Person } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import type { Statement } from '../core/database/statement';
import { Conflict } from '../core/errors/errors';

/** What somebody asks for with an `Idempotency-Key`: asked again, it is answered by the same id. */
export interface KeyedRequest {
  by: Person;
  key: string;
  body: object;
}

interface Used {
  hash: Buffer;
  answer: string;
}

/** Remembers, for each person, what was answered to which key. */
@Injectable()
export class IdempotencyKeys {
  /** Everybody who got no answer asks again when a server is back. */
  private readonly searches = new GroupCommit<KeyedRequest, Used | undefined>((requests) => this.find(requests));

  constructor(private readonly hot: HotDatabase) {}

  /** Notes the ids that these are answered by; refuses (`key_taken`) when one of the keys has been used. */
  take(requests: readonly { request: KeyedRequest; id: string }[]): Statement<never> {
    // In one order for all, so that no two transactions wait for each other.
    const sorted = requests.toSorted((a, b) => (a.request.key < b.request.key ? -1 : 1));
    return {
      text: `WITH taken AS (
          INSERT INTO idempotency_keys (user_id, key, body_hash, answer_id) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::uuid[])
          ON CONFLICT DO NOTHING RETURNING 1
        ) SELECT refuse('key_taken') WHERE (SELECT count(*) FROM taken) <> $5`,
      values: [
        sorted.map(({ request }) => request.by.id), sorted.map(({ request }) => request.key), sorted.map(({ request }) => hashOf(request.body)),
        sorted.map(({ id }) => id), sorted.length,
      ],
    };
  }

  /** What the key was answered by; null when it has not been used. Throws Conflict when it came with another body. */
  async answerTo(request: KeyedRequest): Promise<string | null> {
    const used = await this.searches.add(request);
    if (used && !used.hash.equals(hashOf(request.body))) throw new Conflict('idempotency_key_reused', 'This Idempotency-Key was used with another body');
    return used?.answer ?? null;
  }

  private async find(requests: KeyedRequest[]): Promise<(Used | undefined)[]> {
    const rows = await this.hot.query<(Used & { userId: string; key: string })[]>(
      `SELECT k.user_id AS "userId", k.key, k.body_hash AS hash, k.answer_id AS answer
       FROM unnest($1::uuid[], $2::text[]) AS n (user_id, key) JOIN idempotency_keys k ON k.user_id = n.user_id AND k.key = n.key`,
      [requests.map(({ by }) => by.id), requests.map(({ key }) => key)],
    );
    const used = new Map(rows.map((row) => [`${row.userId} ${row.key}`, row]));
    return requests.map(({ by, key }) => used.get(`${by.id} ${key}`));
  }
}

const hashOf = (body: object): Buffer => createHash('sha256').update(canonical(body)).digest();

/** The same text for the same JSON value, whatever the order of its keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
