import type { CommandFrame } from '@gwanje/contracts';
import type { Agent } from 'node:http';

/** Who a simulated agent is. */
export interface Identity {
  id: string;
  name: string;
  key: string;
}

export interface Listener {
  /** The stream is live. */
  hello(): void;
  command(frame: CommandFrame, arrivedAt: number): void;
  /** The stream is gone, for whatever reason; called once for each stream. */
  closed(): void;
}

export interface Link {
  close(): void;
}

/** How frames reach an agent. What it says itself always goes over HTTP. */
export interface Transport {
  /** Throws when this server cannot serve it at all. */
  check(url: string, identity: Identity): Promise<void>;
  open(url: string, identity: Identity, sockets: Agent, listener: Listener): Link;
}
