import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { remember, ROOT } from './folder';
import type { Launcher } from './launcher';

/** What the server needs and a machine that is commanded must not know. */
const OF_THE_SERVER = ['ADMIN_PASSWORD', 'DATABASE_URL', 'JWT_SECRET', 'REDIS_URL'];

export async function startAgent(launcher: Launcher, url: string, key: string, folder: string): Promise<void> {
  const policy = join(folder, 'agent-policy.json');
  writeFirstPolicy(policy, join(folder, 'files'));
  const own = Object.entries(process.env).filter(([name]) => !OF_THE_SERVER.includes(name));
  await launcher.program('agent', join(ROOT, 'dist', 'apps', 'agent', 'main.js'), folder, {
    LOG_LEVEL: 'warn',
    AGENT_POLICY: policy,
    ...Object.fromEntries(own),
    SERVER_URL: url,
    CLIENT_KEY: key,
    AGENT_DATA_DIR: join(folder, 'agent'),
  });
}

/**
 * A first policy to try things with, and the owner's to change: files only inside one folder, and programs that change nothing whatever
 * their arguments are, also as root (`date` would set the clock, `hostname` the name).
 */
export function writeFirstPolicy(file: string, files: string): void {
  mkdirSync(files, { recursive: true, mode: 0o700 });
  if (existsSync(file)) return;
  const rules = { programs: ['echo', 'sleep', 'uname', 'uptime', 'whoami'], paths: [files] };
  remember(file, JSON.stringify(rules, null, 2));
}
