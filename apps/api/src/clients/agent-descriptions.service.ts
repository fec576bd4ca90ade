import type { RolledBack } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import type { AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';

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

/** Keeps what agents say of themselves when they open a session; recorded when it is not what they said before. */
@Injectable()
export class AgentDescriptionsService {
  /** Ten thousand agents that come back at once mostly say the same as before. */
  private readonly repeated = new GroupCommit<Said, boolean>((group) => this.areAsBefore(group));

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly hot: HotDatabase,
    private readonly audit: AuditService,
  ) {}

  async describe(by: AgentPrincipal, { version, platform, actions, rolledBack }: AgentDescription): Promise<void> {
    // The order of the actions says nothing.
    const sorted = [...actions].sort((a, b) => (a.name < b.name ? -1 : 1));
    const agent = { version, platform, actions: sorted, ...(rolledBack && { rolledBack }) };
    if (!(await this.repeated.add({ by, agent }))) await this.change(by, agent);
  }

  private async areAsBefore(group: Said[]): Promise<boolean[]> {
    const said = group.map(({ by, agent }) => ({ id: by.id, agent })).sort((a, b) => (a.id < b.id ? -1 : 1));
    const rows = await this.hot.query<{ id: string }[]>(
      `WITH same AS (
         UPDATE clients c SET last_seen_at = now() FROM jsonb_to_recordset($1) AS n (id uuid, agent jsonb)
         WHERE c.id = n.id AND c.agent = n.agent RETURNING c.id
       ) SELECT id FROM same`,
      [JSON.stringify(said)],
    );
    const same = new Set(rows.map(({ id }) => id));
    return group.map(({ by }) => same.has(by.id));
  }

  private async change(by: AgentPrincipal, agent: AgentDescription): Promise<void> {
    const values = [by.id, JSON.stringify(agent)];
    await this.database.transaction(async (transaction) => {
      const [was] = await transaction.query<{ agent: AgentDescription | null; changed: boolean }[]>(
        'SELECT agent, agent IS DISTINCT FROM $2::jsonb AS changed FROM clients WHERE id = $1 FOR UPDATE', values,
      );
      await transaction.query('UPDATE clients SET agent = $2, last_seen_at = now() WHERE id = $1', values);
      if (!was?.changed) return;
      const entry = { by, action: 'clients.describe', target: { type: 'client', id: by.id }, clientId: by.id, outcome: 'done' as const };
      await this.audit.record({ ...entry, ...(was.agent && { before: was.agent }), after: agent }, transaction);
    });
  }
}
