import { existsSync } from 'node:fs';
import type { Handler, HandlerContext, HandlerResult } from './handler';
import { literal, powerShell } from './power-shell';
import { type ProgramEnd, runProgram } from './run-program';

type Command = { file: string; args: string[] };

export function restartCommand(platform: NodeJS.Platform, service: string): Command {
  if (platform === 'win32') return powerShell(`Restart-Service -Name ${literal(service)} -Force`);
  if (platform === 'darwin') return { file: 'launchctl', args: ['kickstart', '-k', `system/${service}`] };
  return { file: 'systemctl', args: ['restart', '--', service] };
}

export function stateCommand(platform: NodeJS.Platform, service: string): Command {
  if (platform === 'win32') return powerShell(`(Get-Service -Name ${literal(service)}).Status.ToString()`);
  if (platform === 'darwin') return { file: 'launchctl', args: ['print', `system/${service}`] };
  return { file: 'systemctl', args: ['is-active', '--', service] };
}

/** The service manager's own word in lower case, such as `active` or `running`. */
export function serviceState(platform: NodeJS.Platform, stdout: string): string {
  const word = platform === 'darwin' ? /^\s*state = (.+)$/m.exec(stdout)?.[1] : stdout;
  return word?.trim().toLowerCase() || 'unknown';
}

const UP = ['active', 'activating', 'running', 'startpending'];

/** Owns restarting one allowed service; it must never call it restarted while the service manager says otherwise. */
export class RestartServiceHandler implements Handler {
  readonly action = 'restart_service';

  constructor(
    private readonly platform: NodeJS.Platform = process.platform,
    private readonly hasSystemd: () => boolean = () => existsSync('/run/systemd/system'),
  ) {}

  async run(context: HandlerContext): Promise<HandlerResult> {
    const { service } = context.frame.payload as { service: string };
    if (!['win32', 'darwin'].includes(this.platform) && !this.hasSystemd()) {
      return { success: false, error: `cannot restart ${service}: this machine does not run systemd` };
    }
    const end = await this.call(context, restartCommand(this.platform, service));
    if (end.exitCode !== 0) {
      return { success: false, data: end, error: end.stderr.trim() || `exit code ${end.exitCode}` };
    }
    const { stdout } = await this.call(context, stateCommand(this.platform, service));
    const data = { service, state: serviceState(this.platform, stdout) };
    if (UP.includes(data.state)) return { success: true, data };
    return { success: false, data, error: `${service} was restarted and is ${data.state}` };
  }

  private call(context: HandlerContext, { file, args }: Command): Promise<ProgramEnd> {
    // The answers are read in English.
    return runProgram(context, file, args, { env: { LC_ALL: 'C' } });
  }
}
