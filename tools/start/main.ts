import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '../servers/process';
import { gainAccess, TOKEN_FILE } from './access';
import { Api, waitUntilReady } from './api';
import { buildAll } from './build';
import { runDemo, startKnownAgent } from './demo';
import { keep, lockOf, takeDataFolder } from './folder';
import { howToGoOn } from './guide';
import { Launcher, Stopped, stopEarlierProgram } from './launcher';
import { announceEnd } from './lock';
import { watchNpm } from './parent';
import { checkSettings, requireFreePort } from './preflight';
import { SERVER } from './server-program';
import { startServers } from './servers';
import { watchConsole, watchServer } from './watch';

const WATCH = process.argv.includes('--watch');

/** `npm start`: everything that the server needs, the server, one agent and a first command; `npm run dev` watches the sources too. */
async function main(launcher: Launcher): Promise<void> {
  const say = (line: string): void => launcher.say(line);
  const port = readPort();
  await checkSettings(process.env);
  const folder = await takeDataFolder(port, say);
  launcher.signal.addEventListener('abort', () => announceEnd(lockOf(folder)));
  for (const name of ['agent', 'server']) await stopEarlierProgram(name, folder, say);
  await requireFreePort(port);
  await buildAll(launcher);

  const env: NodeJS.ProcessEnv = {
    // On a first look the requests of everybody would bury what is told here.
    LOG_LEVEL: WATCH ? 'info' : 'warn',
    ...process.env,
    PORT: `${port}`,
    ARTIFACTS_DIR: join(folder, 'artifacts'),
  };
  env['AUDIT_KEY_FILE'] ||= join(folder, 'audit-key.pem');
  await startServers(launcher, folder, env);
  env['JWT_SECRET'] ||= keep(join(folder, 'jwt-secret'), () => randomBytes(48).toString('base64url')).value;
  const email = (env['ADMIN_EMAIL'] ||= 'admin@example.com');
  const passwordFile = env['ADMIN_PASSWORD'] ? null : join(folder, 'admin-password');
  const password = passwordFile ? keep(passwordFile, () => randomBytes(15).toString('base64url')) : null;
  env['ADMIN_PASSWORD'] ||= password?.value ?? '';

  // Not localhost: another program may listen there on IPv6.
  const api = new Api(`http://127.0.0.1:${port}`, launcher.signal);
  await launcher.step('Server: starting (it migrates the database and creates the first admin)', async () => {
    if (WATCH) await watchServer(launcher, env);
    else await launcher.program('server', SERVER.file, folder, env, SERVER.flags);
    await waitUntilReady(api, launcher);
  });
  const url = `http://localhost:${port}`;
  say(`Server: ready at ${url}`);

  const hasAccess = await gainAccess(api, email, env['ADMIN_PASSWORD'], folder);
  if (hasAccess) {
    await demonstrate(launcher, api, folder);
  } else {
    say(`The password of ${email} is not known here any more: going on without the demonstration.`);
    await startKnownAgent(launcher, api, folder);
  }
  if (WATCH) await watchConsole(launcher, env);
  const newPassword = password?.isNew && hasAccess ? password.value : null;
  say(
    howToGoOn({
      url,
      email,
      newPassword,
      passwordFile,
      tokenFile: hasAccess ? join(folder, TOKEN_FILE) : null,
      folder,
    }),
  );
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
watchNpm(() => void launcher.end(0, 'npm has ended: stopping …'));
main(launcher).catch((error: unknown) => {
  // While stopping, every interrupted step fails: the stop is what was asked for.
  if (error instanceof Stopped || launcher.signal.aborted) return;
  return launcher.end(1, `Gwanje could not start: ${messageOf(error)}`);
});
