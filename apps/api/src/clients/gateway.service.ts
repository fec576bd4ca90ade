import type { ByeFrame, CancelFrame, CommandFrame, UpdateFrame } from '@gwanje/contracts';
import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { HeardAgents } from '../core/access/heard-agents';
import { Bus } from '../core/events/bus.service';
import type { EventSink } from '../core/http/event-sink';
import { ClientKeys } from './client-keys';
import { type Link, Presence } from './presence';

const HEARTBEAT_MS = 3_000;
const LISTEN_MS = 1_000;
/** Of what an agent promised: how long it may be silent before it counts as gone. */
const PATIENCE = 1.5;
/** Shared, and never written to. */
const NOTHING = new Map<string, number>();

interface Connection extends Link {
  keyId: string;
  sink: EventSink;
  /** Within which the agent promised to say something. */
  aliveEveryMs?: number | undefined;
  /** How long this process had listened when it heard of it last. */
  heardAtMs: number;
  /** Attempts written on this connection; a repeated wake-up does not write them again. */
  sent: Map<string, number>;
  /** The same for cancels. */
  cancelled: ReadonlyMap<string, number>;
}

/** Holds the agents' connections of this process, whatever carries them. Knows no business. */
@Injectable()
export class GatewayService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly connections = new Map<string, Connection>();
  private readonly log = new Logger('Gateway');
  private heartbeat?: NodeJS.Timeout;
  private listening?: NodeJS.Timeout;
  private listenedAt = performance.now();
  /** How long this process has listened: while it is frozen it does not. */
  private listenedMs = 0;
  private stopping = false;

  constructor(
    private readonly presence: Presence,
    private readonly keys: ClientKeys,
    private readonly heard: HeardAgents,
    private readonly bus: Bus,
  ) {
    bus.on('connected', ({ clientId, connectionId }) => {
      const connection = this.connections.get(clientId);
      if (connection && connection.connectionId !== connectionId) this.close(connection, 'replaced');
    });
    bus.on('heard', ({ clientIds }) => {
      for (const id of clientIds) this.hear(id);
    });
    bus.on('revoked', ({ clientId }) => {
      const connection = this.connections.get(clientId);
      if (connection) void this.closeRevoked([connection]).catch((error: Error) => this.log.warn(`revocation: ${error.message}`));
    });
    bus.on('cancel', ({ clientId, ...frame }) => {
      this.connections.get(clientId)?.sink.send('cancel', frame satisfies CancelFrame);
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    this.listening = setInterval(() => this.listen(), LISTEN_MS);
    await this.beat();
    this.heartbeat = setInterval(() => {
      this.beat().catch((error: Error) => this.log.warn(`heartbeat: ${error.message}`));
    }, HEARTBEAT_MS);
  }

  /** This process, as the row of a client whose connection it holds names it. */
  get id(): string {
    return this.presence.gatewayId;
  }

  /** How many connections this process holds. */
  get count(): number {
    return this.connections.size;
  }

  /** Whether this process holds the client's connection. */
  holds(clientId: string): boolean {
    return this.connections.has(clientId);
  }

  /** Whose connections this process holds. */
  get clientIds(): string[] {
    return [...this.connections.keys()];
  }

  /** Those whose connection has something written on it that was outstanding when it was looked at last. */
  get occupied(): string[] {
    return [...this.connections.values()].filter(({ sent, cancelled }) => sent.size + cancelled.size > 0).map(({ clientId }) => clientId);
  }

  /** Takes a new connection; the newest of a client wins, and the older is told. It is ended when a promise to say something is broken. */
  async attach(clientId: string, keyId: string, sink: EventSink, aliveEveryMs?: number): Promise<void> {
    const connection: Connection = {
      clientId, connectionId: uuid(), written: false, keyId, sink, aliveEveryMs, heardAtMs: this.listenedMs, sent: NOTHING, cancelled: NOTHING,
    };
    if (this.stopping) return this.close(connection, 'shutdown');
    // It left while its key was looked at.
    if (!sink.open) return;
    const older = this.connections.get(clientId);
    if (older) this.close(older, 'replaced');
    this.connections.set(clientId, connection);
    sink.onClose(() => {
      if (this.connections.get(clientId) === connection) this.connections.delete(clientId);
      if (!this.stopping) this.presence.leave(connection);
    });
    sink.send('hello', { connectionId: connection.connectionId, clientId });
    try {
      await this.presence.arrive(connection);
    } catch (error) {
      // Presence that PostgreSQL does not know of would never be served: the agent comes back and tries again.
      sink.end();
      throw error;
    }
  }

  /**
   * Writes on the client's connection what was not yet written on it; `outstanding` and `cancels` are all that it should have, and `stamp`
   * has the last word on a command that is written.
   */
  deliver(clientId: string, outstanding: CommandFrame[], cancels: CancelFrame[], stamp: (frame: CommandFrame) => CommandFrame): void {
    const connection = this.connections.get(clientId);
    if (!connection) return;
    connection.sent = attempts(this.write(connection, outstanding, stamp));
    for (const frame of cancels) if (connection.cancelled.get(frame.id) !== frame.attempt) connection.sink.send('cancel', frame);
    connection.cancelled = attempts(cancels);
  }

  /** The same for what is new, whatever else is outstanding. */
  add(clientId: string, claimed: CommandFrame[], stamp: (frame: CommandFrame) => CommandFrame): void {
    const connection = this.connections.get(clientId);
    if (!connection) return;
    if (connection.sent === NOTHING) connection.sent = new Map();
    for (const { id, attempt } of this.write(connection, claimed, stamp)) connection.sent.set(id, attempt);
  }

  /** It is not repeated: who misses it hears the same with the next session. */
  tellOfUpdate(clientId: string, frame: UpdateFrame): void {
    this.connections.get(clientId)?.sink.send('update', frame);
  }

  /** Marks the clients of dead gateways offline; any number of processes may do it. */
  buryDead(): Promise<void> {
    return this.presence.buryDead();
  }

  /** Before the server cuts the connections: the agents hear why, and go to another process. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearInterval(this.heartbeat);
    clearInterval(this.listening);
    const connections = [...this.connections.values()];
    for (const connection of connections) this.close(connection, 'shutdown');
    await this.presence.close(connections);
  }

  /** Closes those of these connections whose key has ended. */
  private async closeRevoked(connections: readonly Connection[]): Promise<void> {
    if (connections.length === 0) return;
    const ended = new Set(await this.keys.ended(connections.map(({ keyId }) => keyId)));
    for (const connection of connections) if (ended.has(connection.keyId)) this.close(connection, 'revoked');
  }

  /** Answers those that are on the connection: what the agent cannot take yet is written when it has caught up. */
  private write(connection: Connection, frames: CommandFrame[], stamp: (frame: CommandFrame) => CommandFrame): CommandFrame[] {
    return frames.filter((frame) => {
      if (connection.sent.get(frame.id) === frame.attempt) return true;
      if (connection.sink.congested) {
        connection.sink.onCaughtUp(() => this.bus.publish('outstanding', { clientIds: [connection.clientId] }));
        return false;
      }
      connection.sink.send('command', stamp(frame), frame.id);
      return true;
    });
  }

  private close(connection: Connection, reason: ByeFrame['reason']): void {
    connection.sink.send('bye', { reason } satisfies ByeFrame);
    connection.sink.end();
    if (this.connections.get(connection.clientId) === connection) this.connections.delete(connection.clientId);
  }

  /** Whose stream another process holds is heard there by the news of it. */
  private listen(): void {
    const now = performance.now();
    this.listenedMs += Math.min(now - this.listenedAt, 2 * LISTEN_MS);
    this.listenedAt = now;
    const elsewhere = [...this.heard.take()].filter((clientId) => !this.hear(clientId));
    if (elsewhere.length > 0) this.bus.publish('heard', { clientIds: elsewhere });
    const { listeningForMs } = this.bus;
    for (const connection of this.connections.values()) {
      const silentMs = Math.min(this.listenedMs - connection.heardAtMs, listeningForMs);
      if (silentMs < PATIENCE * (connection.aliveEveryMs ?? Infinity)) continue;
      this.close(connection, 'silent');
      // Nobody is there who would take what was sent.
      connection.sink.cutOff();
    }
  }

  /** False when this process does not hold its connection. */
  private hear(clientId: string): boolean {
    const connection = this.connections.get(clientId);
    if (connection) connection.heardAtMs = this.listenedMs;
    return connection !== undefined;
  }

  /** Also finds a revocation, or a newer connection elsewhere, that was not heard of. */
  private async beat(): Promise<void> {
    const { compared, replaced } = await this.presence.beat([...this.connections.values()]);
    for (const connection of replaced) this.close(connection, 'replaced');
    await this.closeRevoked(compared);
  }
}

/** Most connections have nothing outstanding, and share this. */
function attempts(frames: readonly { id: string; attempt: number }[]): Map<string, number> {
  return frames.length === 0 ? NOTHING : new Map(frames.map(({ id, attempt }) => [id, attempt]));
}
