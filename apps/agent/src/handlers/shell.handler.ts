import type { Handler, HandlerContext, HandlerResult } from './handler';
import { runProgram } from './run-program';

interface ShellPayload {
  program: string;
  args?: string[];
  cwd?: string;
}

/** Owns running one allowed program; it must never put a shell in between, where an argument could become code. */
export class ShellHandler implements Handler {
  readonly action = 'shell';

  async run(context: HandlerContext): Promise<HandlerResult> {
    const { program, args = [], cwd } = context.frame.payload as unknown as ShellPayload;
    const data = await runProgram(context, program, args, {
      cwd,
      // A program that must know a repeat from a first time can.
      env: { GWANJE_ATTEMPT: String(context.frame.attempt) },
      live: true,
    });
    // A program may answer its killing with exit code 0.
    if (data.exitCode === 0 && data.killed === undefined) return { success: true, data };
    const how = data.signal ? `was ended by ${data.signal}` : `ended with exit code ${data.exitCode}`;
    return { success: false, data, error: `${program} ${how}` };
  }
}
