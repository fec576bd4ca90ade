import type { SessionOrdinal, SessionResponse } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { AgentBundle } from '../clients/agent-bundle.service';
import { AgentDescriptionsService } from '../clients/agent-descriptions.service';
import type { AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { CommandStore } from './command-store';
import type { SessionDto } from './commands.dto';

type InFlight = SessionDto['inFlight'];
type Numbered = SessionOrdinal & { clientId: string };

/** Compares what agent and server each believe is in flight, before the agent's stream goes live. */
@Injectable()
export class AgentSessions {
  private readonly looks = new GroupCommit<string, boolean>((clientIds) => this.haveRunning(clientIds));
  private readonly notes = new GroupCommit<Numbered, string>((group) => this.note(group));

  constructor(
    private readonly store: CommandStore,
    private readonly hot: HotDatabase,
    private readonly descriptions: AgentDescriptionsService,
    private readonly bundle: AgentBundle,
  ) {}

  async open({ inFlight, ordinal, ...said }: SessionDto, agent: AgentPrincipal): Promise<SessionResponse> {
    await this.descriptions.describe(agent, said);
    // What started after a session was first heard of is none of its business: its agent had not begun it.
    const since = ordinal ? await this.notes.add({ clientId: agent.id, ...ordinal }) : 'infinity';
    // Mostly neither side believes that something has started: then there is nothing to compare.
    const isQuiet = inFlight.length === 0 && !(await this.looks.add(agent.id));
    const drop = isQuiet ? [] : await this.store.transaction((transaction) => this.compare(inFlight, agent.id, since, transaction));
    // kill point: session.after-commit
    const agentVersion = this.bundle.offered();
    return { sessionId: uuid(), drop, ...(agentVersion && { agentVersion }) };
  }

  /** Answers what the agent is to forget. */
  private async compare(inFlight: InFlight, clientId: string, since: string, transaction: EntityManager): Promise<string[]> {
    const believed = await this.store.inFlight(clientId, since, transaction);
    const held = new Map(inFlight.map((entry) => [entry.id, entry]));
    for (const command of believed) {
      const entry = held.get(command.id);
      const same = entry?.attempt === command.attempt;
      if (command.status === 'dispatched' && same && entry.state === 'started') {
        await this.store.move(command, 'running', {}, { by: 'session' }, transaction);
      } else if (command.status === 'running' && !same && !command.isNewer) {
        const error = 'the agent no longer knows of this command: it may or may not have happened';
        await this.store.move(command, 'indeterminate', { error_message: error }, {}, transaction);
        await this.store.retryIfDue(command, false, transaction);
      }
    }
    // kill point: session.before-commit
    const started = inFlight.filter((entry) => entry.state === 'started').map(({ id }) => id);
    const settleable = await this.store.provisional(clientId, started, transaction);
    const current = new Map([...believed, ...settleable].map((command) => [command.id, command.attempt]));
    return inFlight.filter((entry) => entry.state !== 'finished' && current.get(entry.id) !== entry.attempt).map(({ id }) => id);
  }

  /** Answers for each since when it is known; `-infinity` when a later one is known already. */
  private async note(group: Numbered[]): Promise<string[]> {
    // The latest of each client, in the order of their ids, so that two groups never wait for each other.
    const latest = [...new Map([...group].sort((a, b) => a.number - b.number).map((one) => [one.clientId, one])).values()];
    latest.sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
    const rows = await this.hot.query<(Numbered & { at: string })[]>(
      `WITH said AS (SELECT * FROM jsonb_to_recordset($1) AS n ("clientId" uuid, journal uuid, number bigint)),
       noted AS (
         UPDATE clients c SET session_journal = said.journal, session_number = said.number, session_at = now() FROM said
         WHERE c.id = said."clientId" AND (c.session_journal IS DISTINCT FROM said.journal OR c.session_number < said.number)
         RETURNING c.id, session_journal, session_number, session_at
       )
       SELECT said."clientId", coalesce(n.session_journal, c.session_journal) AS journal, coalesce(n.session_number, c.session_number)::float8 AS number,
         coalesce(n.session_at, c.session_at)::text AS at
       FROM said JOIN clients c ON c.id = said."clientId" LEFT JOIN noted n ON n.id = c.id`,
      [JSON.stringify(latest)],
    );
    const known = new Map(rows.map((row) => [row.clientId, row]));
    return group.map(({ clientId, journal, number }) => {
      const row = known.get(clientId);
      return row?.journal === journal.toLowerCase() && row.number === number ? row.at : '-infinity';
    });
  }

  private async haveRunning(clientIds: string[]): Promise<boolean[]> {
    const rows = await this.hot.query<{ id: string }[]>(
      `SELECT DISTINCT client_id AS id FROM commands WHERE client_id = ANY($1) AND phase = 'open' AND status = 'running'`, [clientIds],
    );
    const busy = new Set(rows.map(({ id }) => id));
    return clientIds.map((id) => busy.has(id));
  }
}
