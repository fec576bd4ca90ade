import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import { freePort } from '../servers/ports';
import { startPostgres } from '../servers/postgres';
import { messageOf, sleep } from '../servers/process';
import { startRedis } from '../servers/redis';
import { SERVER } from '../start/server-program';

/**
 * `npm run bench:audit [ROWS]` (after `npm run build`): seals, exports and verifies 1,000,000 audit rows with the real server on an
 * embedded PostgreSQL, and prints how long each took and how much memory the server and the verifier had at most (Linux).
 */
const ROOT = resolve(__dirname, '..', '..');
const ROWS = Number(process.argv[2] ?? 1_000_000);
const CHUNK = 50_000;
const ADMIN = { email: 'admin@example.com', password: randomUUID() };

async function main(): Promise<void> {
  if (!existsSync(SERVER.file)) throw new Error('run `npm run build` first');
  const folder = mkdtempSync(join(tmpdir(), 'gwanje-bench-'));
  chmodSync(folder, 0o711);
  const started: { stop(): Promise<void> }[] = [];
  try {
    const postgres = await startPostgres(join(folder, 'postgres'));
    started.push(postgres);
    const redis = await startRedis(join(folder, 'redis'), () => undefined);
    started.push(redis);
    const server = await startServer(folder, postgres.url, redis.url);
    started.push(server);
    await measure(folder, postgres.url, server);
  } finally {
    for (const each of started.reverse()) await each.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Server {
  url: string;
  token: string;
  process: ChildProcess;
  stop(): Promise<void>;
}

async function startServer(folder: string, databaseUrl: string, redisUrl: string): Promise<Server> {
  const port = await freePort();
  const child = spawn(process.execPath, [...SERVER.flags, SERVER.file], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      REDIS_URL: redisUrl,
      PORT: `${port}`,
      HOST: '127.0.0.1',
      JWT_SECRET: randomUUID() + randomUUID(),
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      ARTIFACTS_DIR: join(folder, 'artifacts'),
      AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
    },
  });
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    while (child.exitCode === null && child.signalCode === null) await sleep(50);
  };
  while (!(await fetch(`${url}/health/ready`).catch(() => null))?.ok) {
    if (child.exitCode !== null) throw new Error('the server did not start');
    await sleep(200);
  }
  const answer = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(ADMIN),
  });
  const { accessToken } = (await answer.json()) as { accessToken: string };
  return { url, token: accessToken, process: child, stop };
}

async function measure(folder: string, databaseUrl: string, server: Server): Promise<void> {
  const database = new Client({ connectionString: databaseUrl });
  await database.connect();
  const call = async <T>(path: string, body?: object): Promise<T> => {
    const answer = await fetch(server.url + path, {
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      headers: { Authorization: `Bearer ${server.token}`, ...(body && { 'Content-Type': 'application/json' }) },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const inserted = await timed(async () => {
    for (let n = 0; n < ROWS; n += CHUNK) await insertRows(database, Math.min(CHUNK, ROWS - n));
  });
  console.log(`inserted ${ROWS} rows in ${inserted}`);
  const sealed = await timed(async () => {
    while ((await database.query('SELECT 1 FROM audit_unsealed LIMIT 1')).rowCount) await sleep(100);
  });
  console.log(`sealed the rest ${sealed} later`);
  await database.query('ANALYZE');
  await database.end();
  const order = async (format: string, filter?: object): Promise<string> => {
    const { id } = await call<{ id: string }>('/api/audit/exports', { format, filter });
    const took = await timed(async () => {
      for (let status = ''; status !== 'completed'; await sleep(100)) {
        ({ status } = await call<{ status: string }>(`/api/audit/exports/${id}`));
        if (status === 'failed') throw new Error('the export failed');
      }
    });
    console.log(`${format}${filter ? ' (filtered)' : ''}: exported in ${took}, server at most ${peak(server.process)}`);
    return join(folder, 'artifacts', 'exports', `${id}.${format}`);
  };
  console.log(`the server before any export: at most ${peak(server.process)}`);
  for (const [format, filter] of [
    ['ndjson', undefined],
    ['csv', undefined],
    ['ndjson', { outcome: 'refused' }],
  ] as const) {
    await verify(await order(format, filter));
  }
  for (const query of [
    '',
    'actor=user-77@example.com',
    'action=commands.*',
    'target=t-4711',
    'outcome=refused',
    'from=2020-01-01&to=2020-01-02',
  ]) {
    console.log(`GET /api/audit?${query}: ${await timed(() => call(`/api/audit?${query}`))}`);
  }
}

async function insertRows(database: Client, rows: number): Promise<void> {
  await database.query(
    `INSERT INTO audit_log (id, at, actor_type, actor_id, actor_name, address, action, target_type, target_id, client_id, outcome, detail, request_id)
     SELECT uuidv7(), clock_timestamp(), 'user', md5((n % 1000)::text)::uuid, 'user-' || n % 1000 || '@example.com', '192.0.2.' || n % 256,
       (ARRAY['commands.create', 'commands.cancel', 'clients.update', 'auth.login'])[1 + n % 4], 'command', 't-' || n, md5((n % 500)::text)::uuid,
       CASE WHEN n % 200 = 0 THEN 'refused' ELSE 'done' END, jsonb_build_object('action', 'print', 'copies', n % 9, 'name', '영수증 ' || n), gen_random_uuid()
     FROM generate_series(1, $1::int) n`,
    [rows],
  );
}

async function verify(file: string): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'tools/audit/verify.ts', file], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let most = '';
  const took = await timed(async () => {
    while (child.exitCode === null) {
      most = peak(child) || most;
      await sleep(20);
    }
  });
  console.log(`verified in ${took}, at most ${most}, exit code ${child.exitCode}`);
}

async function timed(work: () => Promise<unknown>): Promise<string> {
  const start = process.hrtime.bigint();
  await work();
  return `${(Number(process.hrtime.bigint() - start) / 1e9).toFixed(2)} s`;
}

/** The most memory that the process ever had resident. */
function peak({ pid }: ChildProcess): string {
  const file = `/proc/${pid}/status`;
  const kilobytes = existsSync(file) ? /VmHWM:\s+(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  return kilobytes ? `${Math.round(Number(kilobytes) / 1024)} MB` : '';
}

main().catch((error: unknown) => {
  console.error(messageOf(error));
  process.exitCode = 1;
});
