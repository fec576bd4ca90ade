import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import type { Person } from '../core/access/access';
import { Bus } from '../core/events/bus.service';
import type { EventStream } from '../core/http/sse';
import { PeopleService } from './people.service';

const ROUND_MS = 1_000;

/** Watches over people's open streams: ends each as soon as its session has ended or the person's rights have changed. */
@Injectable()
export class StreamWarden implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = new Logger('StreamWarden');
  private readonly watched = new Map<EventStream, Person>();
  private timer?: NodeJS.Timeout;
  private round?: Promise<void>;
  private stopping = false;

  constructor(
    private readonly people: PeopleService,
    private readonly bus: Bus,
  ) {}

  onApplicationBootstrap(): void {
    this.bus.on('rights', () => this.look());
    // The news may be lost; the truth is in PostgreSQL.
    this.timer = setInterval(() => this.look(), ROUND_MS);
  }

  /** Before the server closes, which waits for them. */
  beforeApplicationShutdown(): void {
    this.stopping = true;
    clearInterval(this.timer);
    for (const stream of this.watched.keys()) stream.end();
  }

  watch(stream: EventStream, person: Person): void {
    this.watched.set(stream, person);
    stream.onClose(() => this.watched.delete(stream));
    if (this.stopping) stream.end();
  }

  private look(): void {
    this.round ??= this.endStale()
      .catch((error: Error) => this.log.warn(`not looked, tried again soon: ${error.message}`))
      .finally(() => (this.round = undefined));
  }

  private async endStale(): Promise<void> {
    if (this.watched.size === 0) return;
    const watched = [...this.watched];
    const changes = await this.people.changed(watched.map(([, person]) => person));
    for (const [stream, person] of watched) {
      const reason = changes.get(person);
      if (!reason) continue;
      stream.send('bye', { reason });
      stream.end();
    }
  }
}
