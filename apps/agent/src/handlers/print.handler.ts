import { wait } from '../waiting';
import type { Handler, HandlerContext, HandlerResult } from './handler';
import { literal, powerShell } from './power-shell';
import { runProgram } from './run-program';
import { askJobState, type JobState } from './spooler';

export interface PrintPayload {
  filePath?: string;
  file?: string;
  printer?: string;
  copies?: number;
  options?: { duplex?: boolean };
}

const POLL_MS = 500;
const CANCEL_TIMEOUT_MS = 10_000;

export function printCommand(platform: NodeJS.Platform, payload: PrintPayload): { file: string; args: string[] } {
  const path = payload.filePath ?? payload.file ?? '';
  const copies = payload.copies ?? 1;
  if (platform === 'win32') {
    const target = payload.printer ? `PrintTo -ArgumentList ${literal(`"${payload.printer}"`)}` : 'Print';
    const once = `Start-Process -FilePath ${literal(path)} -Verb ${target} -WindowStyle Hidden -Wait`;
    return powerShell(copies === 1 ? once : `1..${copies} | ForEach-Object { ${once} }`);
  }
  const args = ['-n', String(copies)];
  if (payload.options?.duplex !== undefined) {
    args.push('-o', `sides=${payload.options.duplex ? 'two-sided-long-edge' : 'one-sided'}`);
  }
  if (payload.printer) args.push('-d', payload.printer);
  return { file: 'lp', args: [...args, '--', path] };
}

/** `request id is NAME-12 (1 file(s))` */
export function requestId(stdout: string): string | undefined {
  return /request id is (\S+)/.exec(stdout)?.[1];
}

/** The number at the end of a request id, by which IPP knows the job. */
export function jobNumber(requestId: string): number {
  return Number(/-(\d+)$/.exec(requestId)?.[1]);
}

/** Owns handing one file to the spooler and following its job; it must never hand the same attempt over twice. */
export class PrintHandler implements Handler {
  readonly action = 'print';

  constructor(private readonly platform: NodeJS.Platform = process.platform) {}

  async run(context: HandlerContext): Promise<HandlerResult> {
    const payload = context.frame.payload as PrintPayload;
    if (this.platform === 'win32' && payload.options?.duplex) {
      return { success: false, error: 'duplex cannot be chosen on Windows: set it in the printer' };
    }
    const { file, args } = printCommand(this.platform, payload);
    // The answer of lp is read in English.
    const env = { LC_ALL: 'C' };
    const end = await runProgram(context, file, args, { env });
    if (end.exitCode !== 0) {
      return { success: false, data: end, error: end.stderr.trim() || `${file} ended with exit code ${end.exitCode}` };
    }
    if (this.platform === 'win32') return { success: true, data: { state: 'handed_over' } };
    const job = requestId(end.stdout);
    if (!job) return { success: true, data: { jobId: null, state: 'unknown', stdout: end.stdout } };
    context.progress({ message: `spooled as ${job}` });
    const data = { jobId: job, state: await this.follow(context, job) };
    if (data.state === 'completed' || data.state === 'unknown') return { success: true, data };
    return { success: false, data, error: `the spooler says that ${job} was ${data.state}` };
  }

  /** The runner's timeout ends the polling; a job that nobody waits for any more must not print later. */
  private async follow(context: HandlerContext, job: string): Promise<JobState | 'unknown'> {
    let server = '';
    try {
      server = (await runProgram(context, 'lpstat', ['-H'])).stdout.trim();
      for (;;) {
        // A spooler that is away now may be back at the next look.
        const state = await askJobState(server, jobNumber(job), context.signal).catch(() => undefined);
        context.signal.throwIfAborted();
        if (state) return state;
        await wait(POLL_MS, context.signal);
      }
    } catch (error) {
      // It is spooled, whatever became of it: who called it failed would have it printed again.
      if (!context.signal.aborted) return 'unknown';
      const late = AbortSignal.timeout(CANCEL_TIMEOUT_MS);
      await runProgram({ ...context, signal: late }, 'cancel', [job]).catch(() => undefined);
      // It may have been printed before that reached it.
      if ((await askJobState(server, jobNumber(job), late).catch(() => undefined)) === 'completed') return 'completed';
      throw error;
    }
  }
}
