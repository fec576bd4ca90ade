/** Milliseconds between two signs of life on an event stream; the contract promises one every 15 s. */
export const HEARTBEAT_MS = 14_000;
/** The same on a WebSocket. A peer that is gone is found at the second ping, within the 45 s that the design allows for. */
export const PING_MS = 20_000;
/** A consumer that is further behind is congested, and cut off when it still is at the next word: it comes back and resumes, and the server's memory stays bounded. */
export const MAX_BUFFERED_BYTES = 1 << 20;

/** One open connection that events are written to, whatever carries them. */
export interface EventSink {
  readonly open: boolean;
  /** The consumer is too far behind: what can wait should wait. */
  readonly congested: boolean;
  /** Does nothing once the connection is closed, and cuts it off when it is congested. */
  send(event: string, data: unknown, id?: string): void;
  /** Closes the connection after what was sent. */
  end(): void;
  /** Closes it at once, for a peer that is gone: waits for nothing. */
  cutOff(): void;
  /** The listener is called once, whoever ended the connection; soon, when it is over already. */
  onClose(listener: () => void): void;
}

/** Connections that this process writes events to, whoever reads them. */
export const openStreams = { count: 0 };
