import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { v7 as uuid } from 'uuid';
import { CommandRetention } from '../src/commands/command-retention';
import { eventually, TestEnvironment } from './support/environment';

describe('the policy of what is kept', () => {
  let env: TestEnvironment;
  // Long enough that nothing of this test is old by itself.
  beforeAll(async () => (env = await TestEnvironment.create({ COMMAND_RETENTION_DAYS: '30', OUTPUT_RETENTION_DAYS: '7', ARTIFACT_RETENTION_DAYS: '7' })));
  afterAll(() => env.destroy());

  const count = async (table: string): Promise<number> => (await env.sql(`SELECT 1 FROM ${table}`)).length;
  /** The day on which the policy is applied; everything is made today. */
  const later = new Date(Date.now() + 31 * 86_400_000);
  const ended = (id: string, daysBefore: number): Promise<unknown> =>
    env.sql('UPDATE commands SET completed_at = $2::timestamptz - make_interval(days => $3) WHERE id = $1', [id, later, daysBefore]);

  const onRecord = async (): Promise<object[]> => {
    const { body } = await env.get('/api/audit?action=commands.retention').expect(200);
    return (body as { items: { detail: object }[] }).items.map(({ detail }) => detail);
  };

  it('drops what is old with all that belongs to it, keeps the rest, and says so', async () => {
    const client = await env.client('machine', { concurrency: 10 });
    const agent = await env.connect(client);
    const body = { clientId: client.id, action: 'noop', payload: {} };
    const make = async (key: string): Promise<string> => ((await env.post('/api/commands', body).set('Idempotency-Key', key)).body as { id: string }).id;
    const [ancient, older, fresh] = [await make('ancient'), await make('older'), await make('fresh')];
    await eventually(() => expect(agent.received).toHaveLength(3));
    for (const id of [ancient, older, fresh]) {
      await agent.post(`/api/commands/${id}/output`, { chunks: [{ seq: 0, stream: 'stdout', text: 'x' }] });
      await fetch(`${env.url}/api/commands/${id}/artifacts`, {
        method: 'POST', body: id, headers: { Authorization: `Bearer ${client.clientKey}`, 'Content-Type': 'text/plain' },
      });
      expect(await agent.post(`/api/commands/${id}/result`, { success: true })).toBe(200);
    }
    // One that waits is never old.
    const waits = await env.command((await env.client('away')).id);
    await env.get(`/api/commands/${ancient}`).expect(200);
    await ended(older, 8);
    await ended(fresh, 6);
    const [orphan, upload] = [join(env.artifacts, uuid()), join(env.artifacts, uuid())];
    for (const path of [orphan, upload]) writeFileSync(path, 'x');
    utimesSync(orphan, 1, 1);
    utimesSync(upload, later, later);

    expect(await env.app.get(CommandRetention, { strict: false }).drop(later)).toEqual({ commands: 1, outputs: 2, artifacts: 2 });
    await env.get(`/api/commands/${ancient}`).expect(404);
    for (const id of [older, fresh, waits]) await env.get(`/api/commands/${id}`).expect(200);
    expect((await env.get(`/api/commands/${older}/output`)).body).toEqual({ items: [] });
    expect(((await env.get(`/api/commands/${fresh}/output`)).body as { items: object[] }).items).toHaveLength(1);
    expect([await count('command_outputs'), await count('artifacts'), await count('idempotency_keys')]).toEqual([1, 1, 2]);
    // The same key begins anew, that of a command which is kept does not.
    expect(await make('ancient')).not.toBe(ancient);
    expect(await make('older')).toBe(older);
    expect(readdirSync(env.artifacts)).not.toContain(orphan.split('/').at(-1));
    expect(readdirSync(env.artifacts)).toContain(upload.split('/').at(-1));
    const day = (days: number): string => new Date(later.getTime() - days * 86_400_000).toISOString();
    expect(await onRecord()).toEqual([
      { commands: 1, endedBefore: day(30) }, { outputs: 2, endedBefore: day(7) }, { artifacts: 2, endedBefore: day(7) },
    ]);

    // Once is enough.
    expect(await env.app.get(CommandRetention, { strict: false }).drop(later)).toEqual({ commands: 0, outputs: 0, artifacts: 0 });
    expect(await onRecord()).toHaveLength(3);
  });

  it('drops nothing that cannot be put on record', async () => {
    const id = await env.command((await env.client('third')).id);
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    await ended(id, 31);
    await env.sql('ALTER TABLE audit_log RENAME TO audit_log_away');
    try {
      await expect(env.app.get(CommandRetention, { strict: false }).drop(later)).rejects.toThrow();
    } finally {
      await env.sql('ALTER TABLE audit_log_away RENAME TO audit_log');
    }
    await env.get(`/api/commands/${id}`).expect(200);
    expect(await env.app.get(CommandRetention, { strict: false }).drop(later)).toMatchObject({ commands: 1 });
    await env.get(`/api/commands/${id}`).expect(404);
  });
});
