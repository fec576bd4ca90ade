import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** CPU seconds that a server and its living child processes have used so far; NaN where the system does not tell. */
export function cpuSecondsOf(leader: number): number {
  if (process.platform !== 'linux') return NaN;
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const [, parent, , , , , , , , , , user, system] = fieldsOf(pid);
    if (Number(pid) === leader || Number(parent) === leader) ticks += Number(user) + Number(system);
  }
  return ticks / TICKS_PER_SECOND;
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
