import type { CommandFrame, OutputReport } from '@gwanje/contracts';
import type { Artifact } from '../link/api-client';
import type { OutputPump } from '../runner/output-pump';

export interface HandlerResult {
  success: boolean;
  data?: unknown;
  error?: string;
}

export interface HandlerContext {
  frame: CommandFrame;
  /** Fires when the attempt must end; the handler kills what it started and returns. */
  signal: AbortSignal;
  output: OutputPump;
  progress(news: NonNullable<OutputReport['progress']>): void;
  upload(name: string, type: string, bytes: Buffer): Promise<Artifact>;
}

/** The work of one action; the payload has passed the action's schema and the policy. */
export interface Handler {
  readonly action: string;
  run(context: HandlerContext): Promise<HandlerResult>;
}
