import type { SessionOrdinal, SessionResponse } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { AgentBundle } from '../clients/agent-bundle.service';
import { type AgentDescription, AgentDescriptionsService, descriptionOf } from '../clients/agent-descriptions.service';
import type { AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import type { Statement } from '../core/database/statement';
import { CommandStore } from './command-store';
import type { SessionDto } from './commands.dto';

type InFlight = SessionDto['inFlight'];

/** What an agent says when it opens a session. */
interface Greeting {
  clientId: string;
  agent: AgentDescription;
  ordinal: SessionOrdinal | undefined;
}

/** What the server knows of its client. */
interface Known {
  id: string;
  /** It describes itself as before. */
  isAsBefore: boolean;
  /** Its latest session, and since when that is known. */
  journal: string | null;
  number: number | null;
  at: string | null;
}
interface Reception {
  isAsBefore: boolean;
  /** Since when its session is known: `-infinity` when a later one is known already, `infinity` when it has no ordinal. */
  since: string;
  hasRunning: boolean;
}

/** Compares what agent and server each believe is in flight, before the agent's stream goes live. */
@Injectable()
export class AgentSessions {
  /** Ten thousand agents that come back at once mostly say the same as before. */
  private readonly greetings = new GroupCommit<Greeting, Reception>((group) => this.receive(group));

  constructor(
    private readonly store: CommandStore,
    private readonly hot: HotDatabase,
    private readonly descriptions: AgentDescriptionsService,
    private readonly bundle: AgentBundle,
  ) {}

  async open({ inFlight, ordinal, ...said }: SessionDto, agent: AgentPrincipal): Promise<SessionResponse> {
    const description = descriptionOf(said);
    // What started after a session was first heard of is none of its business: its agent had not begun it.
    const { isAsBefore, since, hasRunning } = await this.greetings.add({ clientId: agent.id, agent: description, ordinal });
    if (!isAsBefore) await this.descriptions.keep(agent, description);
    // Mostly neither side believes that something has started: then there is nothing to compare.
    const isQuiet = inFlight.length === 0 && !hasRunning;
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

  private async receive(group: Greeting[]): Promise<Reception[]> {
    // The latest of each client, in the order of their ids, so that two groups never wait for each other.
    const latest = new Map([...group].sort((a, b) => numberOf(a) - numberOf(b)).map((greeting) => [greeting.clientId, greeting]));
    const clientIds = [...latest.keys()].sort();
    const greetings = clientIds.flatMap((id) => latest.get(id) ?? []);
    const [known, running] = await this.hot.together([greet(greetings), haveRunning(clientIds)]);
    const knownOf = new Map(known.map((one) => [one.id, one]));
    const busy = new Set(running.map(({ id }) => id));
    return group.map((greeting) => {
      const { clientId, ordinal } = greeting;
      const one = knownOf.get(clientId);
      const isLatest = one?.journal === ordinal?.journal.toLowerCase() && one?.number === ordinal?.number;
      const since = (isLatest && one?.at) || '-infinity';
      const isAsBefore = latest.get(clientId) === greeting && one?.isAsBefore === true;
      return { isAsBefore, since: ordinal ? since : 'infinity', hasRunning: busy.has(clientId) };
    });
  }
}

const numberOf = ({ ordinal }: Greeting): number => ordinal?.number ?? 0;

const IS_LATER = 'n.journal IS NOT NULL AND (c.session_journal IS DISTINCT FROM n.journal OR c.session_number < n.number)';

/** Notes that the agent was there, and its session, unless a later one is known already. */
function greet(greetings: readonly Greeting[]): Statement<Known> {
  const said = greetings.map(({ clientId, agent, ordinal }) => ({ clientId, agent, ...ordinal }));
  return {
    text: `UPDATE clients c SET last_seen_at = now(),
         session_journal = CASE WHEN ${IS_LATER} THEN n.journal ELSE c.session_journal END,
         session_number = CASE WHEN ${IS_LATER} THEN n.number ELSE c.session_number END,
         session_at = CASE WHEN ${IS_LATER} THEN now() ELSE c.session_at END
       FROM jsonb_to_recordset($1) AS n ("clientId" uuid, agent jsonb, journal uuid, number bigint) WHERE c.id = n."clientId"
       RETURNING c.id, coalesce(c.agent = n.agent, false) AS "isAsBefore",
         c.session_journal AS journal, c.session_number::float8 AS number, c.session_at::text AS at`,
    values: [JSON.stringify(said)],
  };
}

/** Those of the clients that have a command which has started. */
const haveRunning = (clientIds: readonly string[]): Statement<{ id: string }> => ({
  text: `SELECT DISTINCT client_id AS id FROM commands WHERE client_id = ANY($1) AND phase = 'open' AND status = 'running'`,
  values: [clientIds],
});
