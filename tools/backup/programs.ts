import { execFile, type ExecFileException } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Client } from 'pg';

/** PostgreSQL's own programs, from the PATH or from `PG_BIN`. Throws an Error that says what to do. */
export async function run(program: 'pg_dump' | 'pg_restore', databaseUrl: string, args: readonly string[]): Promise<void> {
  const path = process.env['PG_BIN'] ? `${process.env['PG_BIN']}/${program}` : program;
  await new Promise<void>((done, fail) => {
    // The password goes by the environment: arguments can be read by everybody on the machine.
    const { address, password } = withoutPassword(databaseUrl);
    const env = { ...process.env, LC_ALL: 'C', ...(password && { PGPASSWORD: password }) };
    execFile(path, ['--dbname', address, ...args], { env, maxBuffer: 1 << 24 }, (error, _, complaint) => {
      if (error) fail(new Error(explain(program, error, complaint)));
      else done();
    });
  });
}

export function withoutPassword(url: string): { address: string; password: string } {
  const address = new URL(url);
  const password = decodeURIComponent(address.password);
  address.password = '';
  return { address: address.toString(), password };
}

export async function query<T>(databaseUrl: string, text: string): Promise<T[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

export async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

function explain(program: string, error: ExecFileException, complaint: string): string {
  if (error.code === 'ENOENT') {
    return `${program} is not there: install PostgreSQL's client programs of the server's version or newer, or set PG_BIN to their folder`;
  }
  const mismatch = /server version: (\S+).*pg_dump version: (\S+)/s.exec(complaint);
  if (mismatch) return `${program} is version ${mismatch[2]}, the server is ${mismatch[1]}: set PG_BIN to newer programs`;
  return `${program} failed: ${complaint.trim() || error.message}`;
}
