import type { AgentPrincipal } from '../core/access/access';
import type { EventSocket } from '../core/http/event-socket';
import type { AgentFrames } from './agent-frames';

/** Frames of one connection that may wait for their answer; then nothing more is read until there is room. */
const MAX_UNANSWERED = 32;

/** What is said about one command has a lane, which ends with its last answer. */
type Lanes = Map<unknown, Promise<void>>;

/** What one agent says on one WebSocket: frames about the same command are answered in their order, others side by side, never too many at once. */
export class AgentConversation {
  /** Only while there are some: most agents are silent most of the time. */
  private lanes?: Lanes | undefined;
  private unanswered = 0;

  constructor(
    private readonly socket: EventSocket,
    private readonly agent: AgentPrincipal,
    private readonly frames: AgentFrames,
  ) {
    socket.onFrame((text) => this.hear(text));
  }

  private hear(text: string | null): void {
    const said = parse(text);
    const lane = (said as { data?: { id?: unknown } | null } | null | undefined)?.data?.id;
    const lanes = (this.lanes ??= new Map<unknown, Promise<void>>());
    const before = lanes.get(lane) ?? Promise.resolve();
    if (++this.unanswered >= MAX_UNANSWERED) this.socket.pause();
    const turn = before.then(async () => {
      this.socket.write(await this.frames.answer(said, Buffer.byteLength(text ?? ''), this.agent));
      if (lanes.get(lane) === turn) lanes.delete(lane);
      if (--this.unanswered === MAX_UNANSWERED - 1) this.socket.resume();
      if (this.unanswered === 0) this.lanes = undefined;
    });
    lanes.set(lane, turn);
  }
}

function parse(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
