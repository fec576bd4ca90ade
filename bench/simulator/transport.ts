import type { AgentEvent, CommandFrame, FrameAnswer, SessionRequest } from '@gwanje/contracts';

/** Who a simulated agent is. */
export interface Identity {
  id: string;
  name: string;
  key: string;
}

export interface Listener {
  /** The session is compared, and the server has said hello. */
  live(): void;
  /** Never before `live`. */
  command(frame: CommandFrame, arrivedAt: number): void;
  /** The link is gone; called once for each link, with a reason when it was not meant to go. */
  closed(why?: string): void;
}

/** What an agent says of a command; its session is said when the link is opened. */
export type Word = Exclude<AgentEvent, 'session'>;

/** One connection of one agent to the server, in both directions. */
export interface Link {
  /** Says it once. Rejects when there is no answer: the server may have heard it or not. */
  say(word: Word, commandId: string, body: object): Promise<FrameAnswer>;
  close(): void;
}

/** How commands reach an agent, and how the server hears what the agent says. */
export interface Transport {
  /** Rejects when this server cannot serve it at all. */
  check(identity: Identity): Promise<void>;
  /** Opens a link and, if there is one, a session on it. */
  open(identity: Identity, session: SessionRequest | undefined, listener: Listener): Link;
  close(): void;
}
