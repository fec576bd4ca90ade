import type { Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import type { Person } from '../access/access';

export const NEWS_TOPICS = ['commands', 'clients', 'exports', 'alerts', 'deliveries'] as const;
export type NewsTopic = (typeof NEWS_TOPICS)[number];

/** `revision` rises with each change. */
export interface Change {
  id: string;
  revision: number;
}

/** What one topic of the consoles' stream tells, and to whom. */
export interface NewsSource {
  topic: NewsTopic;
  /** The name of its events. */
  event: string;
  /** Whoever does not hold it hears nothing of the topic. */
  permission: Permission;
  /** Whether all who hold the permission on all clients see the same. */
  isShared: boolean;
  /** Has the desk note, from now on, what the bus says. */
  listen(note: (ids: readonly string[]) => void): void;
  /** What changed from this point in PostgreSQL's order of transactions on. */
  changedSince(point: string, atMost: number): Promise<Change[]>;
  /** Those of these that the person may see, as they are now. */
  read(ids: string[], person: Person): Promise<Change[]>;
}

/** Knows where the news of each topic come from; modules add what is theirs before the start is over. */
@Injectable()
export class NewsSources {
  private readonly byTopic = new Map<NewsTopic, NewsSource>();

  add(source: NewsSource): void {
    if (this.byTopic.has(source.topic)) throw new Error(`two sources of news for the topic ${source.topic}`);
    this.byTopic.set(source.topic, source);
  }

  /** Throws where the topic has none: a server that would be silent about it does not start. */
  of(topic: NewsTopic): NewsSource {
    const source = this.byTopic.get(topic);
    if (!source) throw new Error(`no source of news for the topic ${topic}`);
    return source;
  }
}
