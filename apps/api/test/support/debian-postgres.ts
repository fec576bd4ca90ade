import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../../tools/servers/ports';
import { stopChild } from '../../../../tools/servers/process';
import { eventually, query } from './environment';

const ROOT = '/usr/lib/postgresql';
const NOBODY = 65534;
const newest = existsSync(ROOT) ? readdirSync(ROOT).sort((a, b) => Number(b) - Number(a)).find((version) => existsSync(join(ROOT, version, 'bin/initdb'))) : undefined;

/** Debian's own PostgreSQL, whose programs fit its server: the embedded one brings no pg_dump. */
export const PG_BIN = join(ROOT, newest ?? 'none', 'bin');
export const DEBIAN_POSTGRES = { programs: [], files: [join(PG_BIN, 'initdb'), join(PG_BIN, 'pg_dump')] };

export class DebianPostgres {
  private constructor(
    private readonly address: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(): Promise<DebianPostgres> {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-postgres-'));
    chmodSync(folder, 0o711);
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    // PostgreSQL refuses to run as root.
    const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    if ('uid' in identity) chownSync(data, NOBODY, NOBODY);
    const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
    execFileSync(join(PG_BIN, 'initdb'), ['-D', data, '-U', 'gwanje', '--auth=trust', '--encoding=UTF8', '--no-sync'], { ...identity, cwd: data, env, stdio: 'ignore' });
    const port = await freePort();
    const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off'];
    const child = spawn(join(PG_BIN, 'postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], { ...identity, cwd: data, env, stdio: 'ignore' });
    const server = new DebianPostgres(`postgresql://gwanje:any@127.0.0.1:${port}`, child, folder);
    await eventually(() => query(`${server.address}/postgres`, 'SELECT 1').then(() => undefined));
    return server;
  }

  async database(name: string): Promise<string> {
    await query(`${this.address}/postgres`, `CREATE DATABASE ${name}`);
    return `${this.address}/${name}`;
  }

  async stop(): Promise<void> {
    await stopChild(this.child, 'SIGINT');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
