import { join } from 'node:path';
import { END_STATES } from '@gwanje/contracts';
import { startAgent } from './agent';
import { type Api, Refused } from './api';
import { recall, remember } from './folder';
import type { Launcher } from './launcher';

const CLIENT = 'local';
const KEY_FILE = 'client-key';
const ENDED: readonly string[] = END_STATES;

interface Command {
  id: string;
  status: string;
  result?: unknown;
  errorMessage?: unknown;
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
  const { status, result, errorMessage } = await waitForEnd(launcher, api, id);
  launcher.say(`Command ${id}: ${status} ${JSON.stringify(result ?? errorMessage ?? null).slice(0, 400)}`);
}

/** Without access to the API the agent still connects, if its key is known. */
export async function startKnownAgent(launcher: Launcher, api: Api, folder: string): Promise<void> {
  const key = recall(join(folder, KEY_FILE));
  if (key && (await api.accepts(key))) await startAgent(launcher, api.url, key, folder);
}

async function clientKey(api: Api, folder: string): Promise<string> {
  const known = recall(join(folder, KEY_FILE));
  // The key may be older than the database, which can be another one with DATABASE_URL.
  if (known && (await api.accepts(known))) return known;
  const key = (await register(api)) ?? (await replaceKey(api));
  remember(join(folder, KEY_FILE), key);
  return key;
}

/** Null when the client exists already. */
async function register(api: Api): Promise<string | null> {
  try {
    return (await api.call<{ clientKey: string }>('POST', '/api/clients', { name: CLIENT })).clientKey;
  } catch (error) {
    if (error instanceof Refused && error.status === 409) return null;
    throw error;
  }
}

/** The key of before is lost, so nobody needs it for an overlap. */
async function replaceKey(api: Api): Promise<string> {
  const path = `/api/clients/${CLIENT}/rotate-key`;
  return (await api.call<{ clientKey: string }>('POST', path, { overlapSeconds: 0 })).clientKey;
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
