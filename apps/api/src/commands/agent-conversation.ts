import type { AgentPrincipal } from '../core/access/access';
import type { EventSocket } from '../core/http/event-socket';
import type { AgentFrames } from './agent-frames';

/** Frames of one connection that may wait for their answer; then nothing more is read until there is room. */
const MAX_UNANSWERED = 32;

/** What one agent says on one WebSocket: frames about the same command are answered in their order, others side by side, never too many at once. */
export class AgentConversation {
  private readonly lanes = new Map<unknown, Promise<void>>();
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
    const before = this.lanes.get(lane) ?? Promise.resolve();
    if (++this.unanswered >= MAX_UNANSWERED) this.socket.pause();
    const turn = before.then(async () => {
      this.socket.write(await this.frames.answer(said, Buffer.byteLength(text ?? ''), this.agent));
      if (this.lanes.get(lane) === turn) this.lanes.delete(lane);
      if (--this.unanswered === MAX_UNANSWERED - 1) this.socket.resume();
    });
    this.lanes.set(lane, turn);
  }
}

function parse(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
