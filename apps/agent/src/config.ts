import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Owns the settings of one agent, read once at start; it must never change afterwards or be printed (it has the key). */
export class AgentConfig {
  serverUrl: string;
  clientKey: string;
  dataDir: string;
  policyFile?: string;
  concurrency: number;
}

/** All problems are told in one message, so that an installer needs one look instead of one restart a variable. */
export function readConfig(env: NodeJS.ProcessEnv): AgentConfig {
  const problems: string[] = [];
  const serverUrl = (env.SERVER_URL ?? '').trim().replace(/\/+$/, '');
  if (!isHttpUrl(serverUrl)) problems.push('SERVER_URL must be an http(s) address, such as https://gwanje.example');
  const clientKey = (env.CLIENT_KEY ?? '').trim();
  if (!/^sk_[^\s_]+_\S+$/.test(clientKey)) problems.push('CLIENT_KEY must look like sk_<client>_<secret>');
  const concurrency = Number(env.AGENT_CONCURRENCY || 4);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 256) {
    problems.push('AGENT_CONCURRENCY must be a whole number from 1 to 256');
  }
  if (problems.length > 0) throw new Error(`the agent cannot start: ${problems.join('; ')}`);
  return {
    serverUrl,
    clientKey,
    dataDir: resolve(env.AGENT_DATA_DIR || join(homedir(), '.gwanje-agent')),
    policyFile: env.AGENT_POLICY ? resolve(env.AGENT_POLICY) : undefined,
    concurrency,
  };
}

function isHttpUrl(text: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
