import type { CommandState } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { ClientsService } from '../clients/clients.service';
import { NotFound } from '../core/errors/errors';
import { page, type Page } from '../core/http/page.dto';
import { RedisClient } from '../core/queue/queue.module';
import { KEY_PREFIX } from '../core/queue/redis';
import type { ListCommandsDto } from './commands.dto';

export interface CommandView {
  id: string;
  clientId: string;
  batchId: string | null;
  action: string;
  payload: unknown;
  priority: number;
  status: CommandState;
  attempt: number;
  maxAttempts: number;
  timeoutMs: number;
  result: { success: boolean; data: unknown; durationMs: number | null } | null;
  errorMessage: string | null;
  createdBy: string;
  createdAt: Date;
  notBefore: Date | null;
  expiresAt: Date | null;
  dispatchedAt: Date | null;
  startedAt: Date | null;
  completedAt: Date | null;
}

const VIEW = `id, client_id AS "clientId", batch_id AS "batchId", action, payload, priority, status, attempt,
  max_attempts AS "maxAttempts", timeout_ms AS "timeoutMs", result, error_message AS "errorMessage", created_by AS "createdBy",
  created_at AS "createdAt", not_before AS "notBefore", expires_at AS "expiresAt", dispatched_at AS "dispatchedAt",
  started_at AS "startedAt", completed_at AS "completedAt"`;
const CACHE_SECONDS = 300;

/** Reads commands. Only `completed` ones are cached: no move leads out of that state, so the cache cannot be stale. */
@Injectable()
export class CommandReader {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly redis: RedisClient,
    private readonly clients: ClientsService,
  ) {}

  async get(id: string): Promise<CommandView> {
    if (!isUuid(id)) throw new NotFound('command');
    const key = `${KEY_PREFIX}command:${id.toLowerCase()}`;
    const cached = await this.redis.get(key).catch(() => null);
    if (cached) return JSON.parse(cached) as CommandView;
    const [command] = await this.database.query<CommandView[]>(`SELECT ${VIEW} FROM commands WHERE id = $1`, [id]);
    if (!command) throw new NotFound('command');
    if (command.status === 'completed') this.redis.set(key, JSON.stringify(command), 'EX', CACHE_SECONDS).catch(() => undefined);
    return command;
  }

  async list(query: ListCommandsDto): Promise<Page<CommandView>> {
    const clientId = query.clientId && (await this.clients.get(query.clientId)).id;
    const conditions: [string, unknown][] = [
      ['status =', query.status], ['client_id =', clientId], ['action =', query.action], ['batch_id =', query.batchId],
      ['created_at >=', query.from], ['created_at <', query.to], ['id <', query.cursor],
    ];
    const given = conditions.filter(([, value]) => value !== undefined);
    const where = given.map(([column], index) => `${column} $${index + 2}`).join(' AND ') || 'true';
    const rows = await this.database.query<CommandView[]>(`SELECT ${VIEW} FROM commands WHERE ${where} ORDER BY id DESC LIMIT $1`, [
      query.limit + 1, ...given.map(([, value]) => value),
    ]);
    return page(rows, query.limit);
  }

  /** What waits for this client or is in flight, in the order in which it is served. */
  async queue(idOrName: string): Promise<{ items: CommandView[] }> {
    const { id } = await this.clients.get(idOrName);
    const items = await this.database.query<CommandView[]>(
      `SELECT ${VIEW} FROM commands WHERE client_id = $1 AND status IN ('pending', 'dispatched', 'running')
       ORDER BY status = 'pending', priority DESC, id LIMIT 200`,
      [id],
    );
    return { items };
  }

  async logs(id: string): Promise<{ items: unknown[] }> {
    await this.get(id);
    const items = await this.database.query<unknown[]>(
      `SELECT event_type AS "eventType", attempt, created_at AS "createdAt", data FROM command_logs WHERE command_id = $1 ORDER BY revision`,
      [id],
    );
    return { items };
  }

  async batch(id: string): Promise<{ id: string; action: string; total: number; byStatus: Record<string, number> }> {
    if (!isUuid(id)) throw new NotFound('batch');
    const [batch] = await this.database.query<{ id: string; action: string; total: number }[]>('SELECT id, action, total FROM batches WHERE id = $1', [id]);
    if (!batch) throw new NotFound('batch');
    const counts = await this.database.query<{ status: string; count: number }[]>(
      'SELECT status, count(*)::integer AS count FROM commands WHERE batch_id = $1 GROUP BY status',
      [id],
    );
    return { ...batch, byStatus: Object.fromEntries(counts.map(({ status, count }) => [status, count])) };
  }
}
