import { join } from 'node:path';
import { END_STATES } from '@gwanje/contracts';
import { type Api, Refused } from './api';
import { recall, remember, ROOT } from './folder';
import type { Launcher } from './launcher';

const CLIENT = 'local';
const KEY_FILE = 'client-key';
const ENDED: readonly string[] = END_STATES;

interface Command {
  id: string;
  status: string;
  result?: unknown;
  error?: unknown;
}

/** Makes sure of one client `local`, connects its agent and has it carry out one command. */
export async function runDemo(launcher: Launcher, api: Api, folder: string): Promise<void> {
  const key = await clientKey(api, folder);
  await startAgent(launcher, api.url, key, folder);
  await waitUntilOnline(launcher, api);
  launcher.say(`Agent: the client "${CLIENT}" is online`);
  const order = { clientId: CLIENT, action: 'system_info', payload: {} };
  const { id } = await api.call<Command>('POST', '/api/commands', order);
  launcher.say(`Command ${id}: system_info sent to "${CLIENT}"`);
  const ended = await waitForEnd(launcher, api, id);
  launcher.say(`Command ${id}: ${ended.status} ${JSON.stringify(ended.result ?? ended.error ?? null).slice(0, 400)}`);
}

/** Without the administrator's password the agent still connects, if its key is known. */
export async function startKnownAgent(launcher: Launcher, url: string, folder: string): Promise<void> {
  const key = recall(folder, KEY_FILE);
  if (key) await startAgent(launcher, url, key, folder);
}

async function startAgent(launcher: Launcher, url: string, key: string, folder: string): Promise<void> {
  launcher.say('Agent: starting');
  await launcher.program('agent', join(ROOT, 'dist', 'apps', 'agent', 'main.js'), {
    ...process.env,
    SERVER_URL: url,
    CLIENT_KEY: key,
    AGENT_DATA_DIR: join(folder, 'agent'),
  });
}

async function clientKey(api: Api, folder: string): Promise<string> {
  const known = recall(folder, KEY_FILE);
  // The key may be older than the database, which can be another one with DATABASE_URL.
  if (known && (await exists(api))) return known;
  let key: string;
  try {
    key = (await api.call<{ clientKey: string }>('POST', '/api/clients', { name: CLIENT })).clientKey;
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 409) throw error;
    await api.call('GET', `/api/clients/${CLIENT}`);
    key = (await api.call<{ clientKey: string }>('POST', `/api/clients/${CLIENT}/rotate-key`)).clientKey;
  }
  remember(folder, KEY_FILE, key);
  return key;
}

async function exists(api: Api): Promise<boolean> {
  try {
    await api.call('GET', `/api/clients/${CLIENT}`);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return false;
    throw error;
  }
}

async function waitUntilOnline(launcher: Launcher, api: Api): Promise<void> {
  for (const end = Date.now() + 30_000; ; await launcher.pause(200)) {
    const { status } = await api.call<{ status: string }>('GET', `/api/clients/${CLIENT}`);
    if (status.toLowerCase() === 'online') return;
    if (Date.now() > end) throw new Error(`the client "${CLIENT}" did not come online within 30 s (it is ${status})`);
  }
}

async function waitForEnd(launcher: Launcher, api: Api, id: string): Promise<Command> {
  for (const end = Date.now() + 30_000; ; await launcher.pause(200)) {
    const command = await api.call<Command>('GET', `/api/commands/${id}`);
    if (ENDED.includes(command.status)) return command;
    if (Date.now() > end) throw new Error(`the command ${id} did not end within 30 s (it is ${command.status})`);
  }
}
