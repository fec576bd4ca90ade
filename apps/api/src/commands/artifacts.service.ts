import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { DataSource } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { AgentPrincipal } from '../core/access/access';
import { Hidden, InvalidInput, NotFound } from '../core/errors/errors';
import { ArtifactStore } from './artifact-store';

export interface ArtifactView {
  id: string;
  name: string;
  contentType: string;
  size: number;
  sha256: string;
}

/** Files that commands brought back: bytes in the store, the rest in PostgreSQL. A row exists only for bytes that are there. */
@Injectable()
export class ArtifactsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly store: ArtifactStore,
    private readonly audit: AuditService,
  ) {}

  async add(commandId: string, bytes: unknown, contentType: string, name: string, agent: AgentPrincipal): Promise<ArtifactView> {
    if (!Buffer.isBuffer(bytes)) throw new InvalidInput([{ path: '', message: 'the body must be the bytes, with their own Content-Type' }]);
    const [own] = isUuid(commandId)
      ? await this.database.query<unknown[]>('SELECT 1 FROM commands WHERE id = $1 AND client_id = $2', [commandId, agent.id])
      : [];
    if (!own) throw new Hidden('commands.artifact', { type: 'command', id: commandId });
    const view: ArtifactView = { id: uuid(), name, contentType, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    // An upload that is repeated after its answer was lost is the same artifact.
    const earlier = await this.find(commandId, view);
    if (earlier) return earlier;
    await this.store.put(view.id, bytes, view);
    const added = await this.database.transaction(async (transaction) => {
      const [row] = await transaction.query<unknown[]>(
        `INSERT INTO artifacts (id, command_id, name, content_type, size, sha256) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (command_id, name, sha256) DO NOTHING RETURNING 1`,
        [view.id, commandId, name, contentType, view.size, view.sha256],
      );
      const entry = { by: agent, action: 'commands.artifact', target: { type: 'command', id: commandId }, clientId: agent.id, after: view };
      if (row) await this.audit.record({ ...entry, outcome: 'done' }, transaction);
      return row !== undefined;
    });
    if (added) return view;
    // The same came twice at once.
    await this.store.remove(view.id).catch(() => undefined /* no row names it: the retention tries again */);
    const same = await this.find(commandId, view);
    if (!same) throw new NotFound('artifact');
    return same;
  }

  async list(commandId: string): Promise<{ items: ArtifactView[] }> {
    if (!isUuid(commandId)) throw new NotFound('command');
    const items = await this.database.query<ArtifactView[]>(
      `SELECT id, name, content_type AS "contentType", size::float8 AS size, sha256 FROM artifacts WHERE command_id = $1 ORDER BY id`,
      [commandId],
    );
    return { items };
  }

  async open(commandId: string, id: string): Promise<{ artifact: ArtifactView; bytes: Readable }> {
    const artifact = (await this.list(commandId)).items.find((item) => item.id === id.toLowerCase());
    if (!artifact) throw new NotFound('artifact');
    // The store may have lost what the row says: that is told before the answer has begun.
    const bytes = await this.store.open(artifact.id);
    if (!bytes) throw new NotFound('file of this artifact any more');
    return { artifact, bytes };
  }

  private async find(commandId: string, { name, sha256 }: ArtifactView): Promise<ArtifactView | undefined> {
    return (await this.list(commandId)).items.find((item) => item.name === name && item.sha256 === sha256);
  }
}
