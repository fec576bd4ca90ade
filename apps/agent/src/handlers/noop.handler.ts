import { wait } from '../waiting';
import type { Handler, HandlerContext, HandlerResult } from './handler';

/** Owns the action that proves the line; it must never touch the machine. */
export class NoopHandler implements Handler {
  readonly action = 'noop';

  async run({ frame, signal }: HandlerContext): Promise<HandlerResult> {
    const { delayMs, echo } = frame.payload as { delayMs?: number; echo?: unknown };
    if (delayMs) await wait(delayMs, signal);
    return { success: true, data: echo === undefined ? {} : { echo } };
  }
}
