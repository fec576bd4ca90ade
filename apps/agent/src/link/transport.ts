import type { CancelFrame, CommandFrame, UpdateFrame } from '@gwanje/contracts';

/** Takes what the server says, one event at a time; `data` is parsed JSON of any shape. */
export type Listener = (event: string, data: unknown) => void;

/** One way for the server's events to reach this machine. */
export interface Transport {
  /** Holds one connection; resolves when the server ends it, rejects when it fails, falls silent or the signal fires. */
  listen(signal: AbortSignal, listener: Listener): Promise<void>;
}

/** There is something that speaks HTTP in the way, and it does not let a WebSocket pass. */
export class UpgradeRefused extends Error {
  constructor(readonly status: number) {
    super(`the WebSocket was answered with ${status}`);
  }
}

/** Runs `work` with a signal that also fires when nothing was heard for `silenceMs`: a half-open connection never errors by itself. */
export async function whileHeard(
  silenceMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal, heard: () => void) => Promise<void>,
): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error(`no byte for ${silenceMs} ms`)), silenceMs);
  try {
    await work(AbortSignal.any([signal, silence.signal]), () => timer.refresh());
  } finally {
    clearTimeout(timer);
  }
}

export function isCancel(data: unknown): data is CancelFrame {
  const frame = data as Partial<CancelFrame> | null;
  return !!frame && typeof frame.id === 'string' && typeof frame.attempt === 'number';
}

export function isUpdate(data: unknown): data is UpdateFrame {
  return typeof (data as Partial<UpdateFrame> | null)?.version === 'string';
}

export function isCommand(data: unknown): data is CommandFrame {
  if (!isCancel(data)) return false;
  const frame = data as Partial<CommandFrame>;
  return (
    typeof frame.action === 'string' &&
    !!frame.payload &&
    typeof frame.payload === 'object' &&
    typeof frame.priority === 'number' &&
    typeof frame.timeoutMs === 'number'
  );
}
