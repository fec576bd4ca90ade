import type { Readable } from 'node:stream';
import { Unavailable } from '../core/errors/errors';

/** What is known of the bytes of an artifact. */
export interface ArtifactFacts {
  contentType: string;
}

/**
 * Owns the bytes of artifacts, by the artifact's id; it never says that it has what a power cut could still take away. Every method rejects
 * with StoreUnavailable where the store is away, full or refuses, and may then be called again.
 */
export abstract class ArtifactStore {
  /** Resolves when the bytes are durable. An id is used once. */
  abstract put(id: string, bytes: Buffer, facts: ArtifactFacts): Promise<void>;

  /** Null where the bytes are gone. Destroying the stream ends the reading. */
  abstract open(id: string): Promise<Readable | null>;

  /** Of what is not there: nothing. */
  abstract remove(id: string): Promise<void>;

  /** The ids of what was put in before that time, some at once. What others keep in the same place is not among them. */
  abstract storedBefore(time: Date): AsyncIterable<string[]>;
}

/** The cause is for the log, not for the caller. */
export class StoreUnavailable extends Unavailable {
  constructor(cause: unknown) {
    super('artifact_store_unavailable', 'Files cannot be stored or read at the moment; try again', cause);
  }
}
