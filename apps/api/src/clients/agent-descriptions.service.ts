import type { RolledBack } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import type { AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';

/** What an agent says of itself. */
export interface AgentDescription {
  version: string;
  platform: string;
  actions: { name: string; schema?: Record<string, unknown> }[];
  /** Only while it runs an older version than the one that it gave up. */
  rolledBack?: RolledBack;
}

interface Said {
  by: AgentPrincipal;
  agent: AgentDescription;
}
type Changed = { id: string; before: AgentDescription | null };

/** Keeps what agents say of themselves, and records each change of it. */
@Injectable()
export class AgentDescriptionsService {
  /** Ten thousand agents that were brought to another version say something new at once. */
  private readonly changes = new GroupCommit<Said, void>((group) => this.write(group));

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
  ) {}

  /** Records nothing when it is what was kept already. */
  keep(by: AgentPrincipal, agent: AgentDescription): Promise<void> {
    return this.changes.add({ by, agent });
  }

  private async write(group: Said[]): Promise<void[]> {
    const last = new Map(group.map((said) => [said.by.id, said]));
    const said = [...last.values()].map(({ by, agent }) => ({ id: by.id, agent }));
    await this.database.transaction(async (transaction) => {
      // Locked in the order of their ids, so that two groups never wait for each other.
      const changed = await transaction.query<Changed[]>(
        `WITH said AS (SELECT * FROM jsonb_to_recordset($1) AS n (id uuid, agent jsonb)),
         was AS MATERIALIZED (SELECT id, agent FROM clients WHERE id IN (SELECT id FROM said) ORDER BY id FOR NO KEY UPDATE),
         changed AS (
           UPDATE clients c SET agent = said.agent FROM said JOIN was USING (id)
           WHERE c.id = said.id AND was.agent IS DISTINCT FROM said.agent RETURNING c.id, was.agent AS before
         ) SELECT id, before FROM changed`,
        [JSON.stringify(said)],
      );
      const entries = changed.flatMap(({ id, before }) => {
        const one = last.get(id);
        if (!one) return [];
        const entry = { by: one.by, action: 'clients.describe', target: { type: 'client', id }, clientId: id, outcome: 'done' as const };
        return [{ ...entry, ...(before && { before }), after: one.agent }];
      });
      await this.audit.recordAll(entries, transaction);
    });
    return group.map(() => undefined);
  }
}

/** As it is kept: the order of the actions says nothing. */
export function descriptionOf({ version, platform, actions, rolledBack }: AgentDescription): AgentDescription {
  const sorted = [...actions].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { version, platform, actions: sorted, ...(rolledBack && { rolledBack }) };
}
