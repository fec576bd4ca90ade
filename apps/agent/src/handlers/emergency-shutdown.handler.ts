import { wait } from '../waiting';
import type { Handler, HandlerContext, HandlerResult } from './handler';
import { runProgram } from './run-program';

export interface ShutdownPayload {
  delaySeconds?: number;
  reason?: string;
  dryRun?: boolean;
}

/** The result must reach the server before the machine goes down. */
const WINDOWS_LEAST_SECONDS = 10;
const FOREGROUND_MS = 3_000;

/** `delaySeconds` is the time that the machine really takes: `shutdown` outside Windows counts in full minutes. */
export function shutdownCommand(
  platform: NodeJS.Platform,
  { delaySeconds = 0, reason }: ShutdownPayload,
): { file: string; args: string[]; delaySeconds: number } {
  if (platform === 'win32') {
    const seconds = Math.max(delaySeconds, WINDOWS_LEAST_SECONDS);
    const args = ['/s', '/t', String(seconds), ...(reason ? ['/c', reason] : [])];
    return { file: 'shutdown.exe', args, delaySeconds: seconds };
  }
  const minutes = Math.max(1, Math.ceil(delaySeconds / 60));
  return { file: 'shutdown', args: ['-h', `+${minutes}`, ...(reason ? [reason] : [])], delaySeconds: minutes * 60 };
}

/** Owns ordering the machine down, in time for the result to be told; it must never do it for a dry run. */
export class EmergencyShutdownHandler implements Handler {
  readonly action = 'emergency_shutdown';

  constructor(private readonly platform: NodeJS.Platform = process.platform) {}

  async run(context: HandlerContext): Promise<HandlerResult> {
    const payload = context.frame.payload as ShutdownPayload;
    const { file, args, delaySeconds } = shutdownCommand(this.platform, payload);
    const data = { dryRun: payload.dryRun ?? false, command: [file, ...args], delaySeconds };
    if (payload.dryRun) return { success: true, data };
    // Some systems' program stays in the foreground until the time has come.
    const end = await Promise.race([runProgram(context, file, args), wait(FOREGROUND_MS)]);
    if (!end || end.exitCode === 0) return { success: true, data };
    return { success: false, data, error: end.stderr.trim() || `${file} ended with exit code ${end.exitCode}` };
  }
}
