import type { CancelFrame } from '@gwanje/contracts';
import { Injectable, OnApplicationShutdown } from '@nestjs/common';
import { EventEmitter } from 'node:events';
import { randomUUID } from 'node:crypto';
import { NewsTransport } from './news-transport';

/** What travels between processes: ids and news, never the truth. Anything here may be lost or repeated. */
export interface BusEvents {
  /** Dispatched commands wait in PostgreSQL for these clients' streams; among them an emergency for all of these clients, if `urgent`. */
  outstanding: { clientIds: string[]; urgent?: boolean };
  /** This attempt is to be ended, or not to be started. */
  cancel: CancelFrame & { clientId: string };
  /** The state, history or output of these commands changed, or they are new. */
  commands: { ids: string[] };
  /** This client has a new stream; older ones of it are to be closed. */
  connected: { clientId: string; connectionId: string };
  /** Another process heard these clients' agents, and does not hold their streams. */
  heard: { clientIds: string[] };
  /** A key of this client ended. */
  revoked: { clientId: string };
  /** The status or the description of this client changed. */
  client: { id: string };
  /** These audit exports were ordered, went on or ended. */
  exports: { ids: string[] };
  /** These alerts fired, or are over. */
  alerts: { ids: string[] };
  /** These deliveries of alerts were ordered, were tried or ended. */
  deliveries: { ids: string[] };
  /** What these people may do changed, or a session of theirs ended. */
  rights: { userIds: string[] };
}

type News = [name: string, event: unknown];

/** Delivers news to this process at once and to the others by a transport, what one turn brings as one message; goes on locally while that is away. */
@Injectable()
export class Bus implements OnApplicationShutdown {
  private readonly origin = randomUUID();
  private leaving: News[] = [];
  private readonly local = new EventEmitter().setMaxListeners(0);

  constructor(private readonly transport: NewsTransport) {
    transport.listen((message) => {
      // Its own news is known by its first bytes, and not read.
      if (message.startsWith(this.origin)) return;
      for (const [name, event] of JSON.parse(message.slice(this.origin.length)) as News[]) this.local.emit(name, event);
    });
  }

  publish<K extends keyof BusEvents>(name: K, event: BusEvents[K]): void {
    this.local.emit(name, event);
    this.tellOthers(name, event);
  }

  /** Not this process, which knows already. */
  tellOthers<K extends keyof BusEvents>(name: K, event: BusEvents[K]): void {
    if (this.leaving.push([name, event]) === 1) setImmediate(() => this.send());
  }

  /** Milliseconds since which this process hears what others publish; 0 while what carries it is away. */
  get listeningForMs(): number {
    return this.transport.listeningForMs;
  }

  /** Returns the function that ends the subscription. */
  on<K extends keyof BusEvents>(name: K, listener: (event: BusEvents[K]) => void): () => void {
    this.local.on(name, listener);
    return () => this.local.off(name, listener);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.transport.close();
  }

  private send(): void {
    // kill point: bus.before-publish
    const news = this.leaving;
    this.leaving = [];
    this.transport
      .publish(this.origin + JSON.stringify(news))
      .catch(() => undefined /* whoever misses news finds the truth in PostgreSQL at its next round */);
  }
}
