import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startPostgres } from '../servers/postgres';
import { messageOf } from '../servers/process';
import { startRedis } from '../servers/redis';
import { Api, Refused, requireFreePort, waitUntilReady } from './api';
import { buildAll } from './build';
import { runDemo, startKnownAgent } from './demo';
import { keep, ROOT, takeDataFolder } from './folder';
import { howToGoOn } from './guide';
import { Launcher, Stopped } from './launcher';
import { watchConsole, watchServer } from './watch';

const WATCH = process.argv.includes('--watch');

/** `npm start`: everything that the server needs, the server, one agent and a first command; `npm run dev` watches the sources too. */
async function main(launcher: Launcher): Promise<void> {
  const say = (line: string): void => launcher.say(line);
  const port = readPort();
  await requireFreePort(port);
  const folder = takeDataFolder(port, say);
  await buildAll(launcher);

  const env: NodeJS.ProcessEnv = { ...process.env, PORT: `${port}`, ARTIFACTS_DIR: join(folder, 'artifacts') };
  env['AUDIT_KEY_FILE'] ||= join(folder, 'audit-key.pem');
  await startServers(launcher, folder, env);
  env['JWT_SECRET'] ||= keep(folder, 'jwt-secret', () => randomBytes(48).toString('base64url')).value;
  const email = (env['ADMIN_EMAIL'] ||= 'admin@example.com');
  const generated = env['ADMIN_PASSWORD']
    ? null
    : keep(folder, 'admin-password', () => randomBytes(15).toString('base64url'));
  const password = (env['ADMIN_PASSWORD'] ||= generated?.value ?? '');

  say('Server: starting');
  if (WATCH) await watchServer(launcher, env);
  else await launcher.program('server', join(ROOT, 'dist', 'apps', 'api', 'main.js'), env);
  const api = new Api(`http://127.0.0.1:${port}`, launcher.signal);
  await waitUntilReady(api, launcher);
  say(`Server: ready at ${api.url}`);
  if (generated?.isNew)
    say(`\n  First start: log in as ${email} with the password ${password}\n  (shown only now, kept in ${folder})\n`);

  if (await logIn(api, email, password)) {
    await demonstrate(launcher, api, folder);
  } else {
    say('The password of the administrator has been changed since: going on without the demonstration.');
    await startKnownAgent(launcher, api.url, folder);
  }
  if (WATCH) await watchConsole(launcher, env);
  say(howToGoOn({ url: api.url, email, passwordFile: generated ? join(folder, 'admin-password') : null }));
}

async function startServers(launcher: Launcher, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const say = (line: string): void => launcher.say(line);
  if (env['DATABASE_URL']) {
    say('PostgreSQL: the one of DATABASE_URL');
  } else {
    const postgres = await launcher.own('PostgreSQL', () => startPostgres(join(folder, 'postgres'), say));
    env['DATABASE_URL'] = postgres.url;
    say(`PostgreSQL: ready on port ${postgres.port}`);
  }
  if (env['REDIS_URL'] || env['REDIS_HOST']) {
    say(`Redis: the one of ${env['REDIS_URL'] ? 'REDIS_URL' : 'REDIS_HOST'}`);
  } else {
    const redis = await launcher.own('Redis', () => startRedis(join(folder, 'redis'), say));
    env['REDIS_URL'] = redis.url;
    // The emulation lacks a few commands: whoever connects can go around them.
    if (redis.kind === 'emulated') env['REDIS_EMULATED'] = '1';
    say(`Redis: ready on port ${redis.port}`);
  }
}

/** False when the password is no longer the one of the first start. */
async function logIn(api: Api, email: string, password: string): Promise<boolean> {
  try {
    await api.logIn(email, password);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return false;
    throw error;
  }
}

/** A server that is up stays up, even if the demonstration does not succeed. */
async function demonstrate(launcher: Launcher, api: Api, folder: string): Promise<void> {
  try {
    await runDemo(launcher, api, folder);
  } catch (error) {
    launcher.check();
    console.error(`The demonstration did not succeed: ${messageOf(error)}`);
  }
}

function readPort(): number {
  const text = process.env['PORT'] || '3000';
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`PORT is not a port number: ${text}`);
  return port;
}

const launcher = new Launcher();
launcher.watchSignals();
main(launcher).catch((error: unknown) => {
  // While stopping, every interrupted step fails: the stop is what was asked for.
  if (error instanceof Stopped || launcher.signal.aborted) return;
  return launcher.end(1, `Gwanje could not start: ${messageOf(error)}`);
});
