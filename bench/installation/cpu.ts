import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** CPU seconds that a server and its child processes, living and ended, have used so far; NaN where the system does not tell. */
export function cpuSecondsOf(leader: number): number {
  if (process.platform !== 'linux') return NaN;
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const [, parent, , , , , , , , , , user, system, endedUser, endedSystem] = fieldsOf(pid);
    if (Number(pid) === leader || Number(parent) === leader) ticks += Number(user) + Number(system);
    if (Number(pid) === leader) ticks += Number(endedUser) + Number(endedSystem);
  }
  return ticks / TICKS_PER_SECOND;
}

/** What several processes have used since it was made. */
export class CpuMeter {
  private readonly before: Record<string, number>;

  /** Process ids by the names under which they are told. */
  constructor(private readonly pids: Record<string, number>) {
    this.before = this.read();
  }

  /**
   * What was used until now, in milliseconds for each of so many commands: what else the machine does changes it less than a rate.
   */
  stop(): (commands: number) => Record<string, number> {
    const after = this.read();
    const used = (name: string): number => 1000 * ((after[name] ?? NaN) - (this.before[name] ?? NaN));
    return (commands) => Object.fromEntries(Object.keys(this.pids).map((name) => [name, used(name) / commands]));
  }

  private read(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.pids).map(([name, pid]) => [name, cpuSecondsOf(pid)]));
  }
}

/** Those behind the name, which may contain anything: state, parent, group and so on. */
function fieldsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    // Gone meanwhile.
    return [];
  }
}
