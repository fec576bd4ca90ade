import { hash } from '@node-rs/argon2';
import type { AuditExport, AuditItem } from '@gwanje/contracts';
import { getQueueToken } from '@nestjs/bull';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bull';
import { join } from 'node:path';
import request from 'supertest';
import { v7 as uuid } from 'uuid';
import { type AuditEntry, AuditService } from '../../src/audit/audit.service';
import { AuditWorkerModule } from '../../src/audit/audit-worker.module';
import { EXPORTS_QUEUE } from '../../src/audit/exports/export-clerk';
import { Sealer } from '../../src/audit/sealer';
import { loadConfig } from '../../src/core/config/config';
import { ConfigModule } from '../../src/core/config/config.module';
import { DatabaseModule } from '../../src/core/database/database.module';
import { EventsModule } from '../../src/core/events/events.module';
import { QueueModule } from '../../src/core/queue/queue.module';
import { eventually, type TestEnvironment } from './environment';

const PASSWORD = 'another correct horse';

/** The audit log of a test environment, from inside and from outside. */
export class AuditDesk {
  readonly entry: AuditEntry = {
    by: { type: 'anonymous', id: null, origin: { requestId: 'r-1', address: '192.0.2.1' } },
    action: 'test.done',
    target: { type: 'thing', id: 't-1' },
    outcome: 'done',
  };
  readonly service: AuditService;
  readonly sealer: Sealer;

  constructor(private readonly env: TestEnvironment) {
    this.service = env.app.get(AuditService);
    this.sealer = env.app.get(Sealer);
  }

  async record(entry: Partial<AuditEntry> = {}): Promise<void> {
    await this.service.record({ ...this.entry, ...entry });
  }

  async list(query = '', token = this.env.token): Promise<AuditItem[]> {
    const { body } = await request(this.env.url).get(`/api/audit?limit=200&${query}`).set('Authorization', `Bearer ${token}`).expect(200);
    return (body as { items: AuditItem[] }).items;
  }

  async waitUntilSealed(): Promise<void> {
    await eventually(async () => expect(await this.env.sql('SELECT 1 FROM audit_unsealed')).toEqual([]));
  }

  /** Orders an export, waits until it is there, and answers its bytes. */
  async export(format: 'csv' | 'ndjson', filter?: object, token = this.env.token): Promise<{ state: AuditExport; bytes: Buffer }> {
    const bearer = `Bearer ${token}`;
    const ordered = await request(this.env.url)
      .post('/api/audit/exports')
      .set('Authorization', bearer)
      .send({ format, ...(filter && { filter }) })
      .expect(202);
    const path = `/api/audit/exports/${(ordered.body as { id: string }).id}`;
    let state: AuditExport | undefined;
    await eventually(async () => {
      state = (await request(this.env.url).get(path).set('Authorization', bearer).expect(200)).body as AuditExport;
      expect(state.status).toBe('completed');
    });
    const answer = await fetch(`${this.env.url}${path}/download`, { headers: { Authorization: bearer } });
    expect(answer.status).toBe(200);
    return { state: state as AuditExport, bytes: Buffer.from(await answer.arrayBuffer()) };
  }

  /** An auditor whose rights hold where they were granted, and so nowhere yet. */
  async auditorOfLittle(email: string): Promise<{ id: string; token: string }> {
    const id = uuid();
    await this.env.sql(`INSERT INTO users (id, email, name, password_hash, scope) VALUES ($1, $2, 'Auditor', $3, 'granted')`, [
      id,
      email,
      await hash(PASSWORD),
    ]);
    await this.env.sql(`INSERT INTO user_roles SELECT $1, id FROM roles WHERE name = 'auditor'`, [id]);
    const { body } = await request(this.env.url).post('/api/auth/login').send({ email, password: PASSWORD }).expect(200);
    return { id, token: (body as { accessToken: string }).accessToken };
  }
}

/** The audit part alone, as it runs in one more process on the same database. */
export async function startAudit(
  env: Pick<TestEnvironment, 'databaseUrl' | 'redisUrl' | 'artifacts'>,
  settings: Record<string, string> = {},
): Promise<INestApplicationContext> {
  const config = loadConfig({
    DATABASE_URL: env.databaseUrl,
    REDIS_URL: env.redisUrl,
    JWT_SECRET: 'x'.repeat(32),
    DB_POOL_MIN: '0',
    ARTIFACTS_DIR: env.artifacts,
    SWEEP_MS: '100',
    AUDIT_KEY_FILE: join(env.artifacts, 'audit-key.pem'),
    ...settings,
  });
  const module = class OneMoreProcess {};
  const imports = [ConfigModule.with(config), DatabaseModule, QueueModule, EventsModule, AuditWorkerModule];
  const app = await NestFactory.createApplicationContext({ module, imports }, { logger: false, abortOnError: false });
  // Bull cannot be closed while its worker is still being set up: an unhandled rejection would end the process.
  const queue = app.get<Queue & { bclient: { blocked?: boolean } }>(getQueueToken(EXPORTS_QUEUE), { strict: false });
  await queue.isReady();
  await eventually(() => expect(queue.bclient.blocked).toBe(true));
  return app;
}
