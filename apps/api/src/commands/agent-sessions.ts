import type { SessionResponse } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { AgentDescriptionsService } from '../clients/agent-descriptions.service';
import type { AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { CommandStore } from './command-store';
import type { SessionDto } from './commands.dto';

type InFlight = SessionDto['inFlight'];

/** Compares what agent and server each believe is in flight, before the agent's stream goes live. */
@Injectable()
export class AgentSessions {
  private readonly looks = new GroupCommit<string, boolean>((clientIds) => this.haveRunning(clientIds));

  constructor(
    private readonly store: CommandStore,
    private readonly hot: HotDatabase,
    private readonly descriptions: AgentDescriptionsService,
  ) {}

  async open({ inFlight, ...said }: SessionDto, agent: AgentPrincipal): Promise<SessionResponse> {
    await this.descriptions.describe(agent, said);
    // Mostly neither side believes that something has started: then there is nothing to compare.
    const isQuiet = inFlight.length === 0 && !(await this.looks.add(agent.id));
    const drop = isQuiet ? [] : await this.store.transaction((transaction) => this.compare(inFlight, agent.id, transaction));
    // kill point: session.after-commit
    return { sessionId: uuid(), drop };
  }

  /** Answers what the agent is to forget. */
  private async compare(inFlight: InFlight, clientId: string, transaction: EntityManager): Promise<string[]> {
    const believed = await this.store.inFlight(clientId, transaction);
    const held = new Map(inFlight.map((entry) => [entry.id, entry]));
    for (const command of believed) {
      const entry = held.get(command.id);
      const same = entry?.attempt === command.attempt;
      if (command.status === 'dispatched' && same && entry.state === 'started') {
        await this.store.move(command, 'running', {}, { by: 'session' }, transaction);
      } else if (command.status === 'running' && !same) {
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

  private async haveRunning(clientIds: string[]): Promise<boolean[]> {
    const rows = await this.hot.query<{ id: string }[]>(
      `SELECT DISTINCT client_id AS id FROM commands WHERE client_id = ANY($1) AND status IN ('dispatched', 'running') AND status = 'running'`, [clientIds],
    );
    const busy = new Set(rows.map(({ id }) => id));
    return clientIds.map((id) => busy.has(id));
  }
}
