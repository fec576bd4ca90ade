import { ALIVE_EVERY_MS } from '@gwanje/contracts';
import type { TracingSettings } from '@gwanje/tracing';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface UpdateConfig {
  /** The public key (PEM) by which a new version must be signed. */
  keyFile: string;
  /** Milliseconds within which it must have a connection. */
  trialMs: number;
}

/** Owns the settings of one agent, read once at start; it must never change afterwards or be printed (it has the key). */
export class AgentConfig {
  serverUrl: string;
  clientKey: string;
  /** How commands come: server-sent events, or a WebSocket where one gets through. */
  transport: 'sse' | 'ws';
  dataDir: string;
  policyFile?: string;
  /** The agent's own files and folders, which no command may touch. */
  ownPaths: readonly string[];
  concurrency: number;
  /** Milliseconds without a byte after which the stream counts as dead. */
  silenceMs: number;
  /** Milliseconds within which the server hears of this agent while it holds an event stream. */
  aliveEveryMs: number;
  /** Where OpenTelemetry traces go; without it none are made. */
  tracing?: Pick<TracingSettings, 'endpoint' | 'serviceName' | 'delayMs'>;
  /** Present when a newer version that the server offers is taken up. */
  update?: UpdateConfig;
}

/**
 * All problems are told in one message, so that an installer needs one look instead of one restart a variable. `nodeOptions` are Node's own
 * arguments, which name the files that hold the settings.
 */
export function readConfig(env: NodeJS.ProcessEnv, nodeOptions: readonly string[] = process.execArgv): AgentConfig {
  const problems: string[] = [];
  const serverUrl = (env.SERVER_URL ?? '').trim().replace(/\/+$/, '');
  if (!isHttpUrl(serverUrl)) problems.push('SERVER_URL must be an http(s) address, such as https://gwanje.example');
  const clientKey = (env.CLIENT_KEY ?? '').trim();
  if (!/^sk_[^\s_]+_\S+$/.test(clientKey)) problems.push('CLIENT_KEY must look like sk_<client>_<secret>');
  const transport = (env.TRANSPORT ?? '').trim() || 'sse';
  if (transport !== 'sse' && transport !== 'ws') problems.push('TRANSPORT must be sse or ws');
  const whole = (name: string, preset: number, least: number, most: number): number => {
    const value = Number(env[name] || preset);
    const fits = Number.isInteger(value) && value >= least && value <= most;
    if (!fits) problems.push(`${name} must be a whole number from ${least} to ${most}`);
    return value;
  };
  const concurrency = whole('AGENT_CONCURRENCY', 4, 1, 256);
  const silenceMs = whole('AGENT_SILENCE_MS', 40_000, 1_000, 600_000);
  const { least, most } = ALIVE_EVERY_MS;
  const aliveEveryMs = whole('AGENT_ALIVE_MS', 28_000, least, most);
  const endpoint = (env.OTEL_EXPORTER_OTLP_ENDPOINT ?? '').trim();
  if (endpoint && !isHttpUrl(endpoint)) problems.push('OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address');
  const delayMs = whole('OTEL_BSP_SCHEDULE_DELAY', 5_000, 1, 600_000);
  const update = (env.UPDATE ?? '').trim() || 'off';
  if (update !== 'off' && update !== 'auto') problems.push('UPDATE must be off or auto');
  if (update === 'auto' && !env.AGENT_UPDATE_KEY) {
    problems.push('UPDATE=auto needs AGENT_UPDATE_KEY, the file with the public key of releases');
  }
  const trialMs = whole('AGENT_UPDATE_TRIAL_MS', 120_000, 1_000, 3_600_000);
  if (problems.length > 0) throw new Error(`the agent cannot start: ${problems.join('; ')}`);
  const dataDir = dataDirOf(env);
  const policyFile = env.AGENT_POLICY ? resolve(env.AGENT_POLICY) : undefined;
  const updateKey = env.AGENT_UPDATE_KEY ? resolve(env.AGENT_UPDATE_KEY) : undefined;
  const own = [dataDir, policyFile, updateKey, ...environmentFiles(nodeOptions)];
  return {
    serverUrl,
    clientKey,
    transport: transport === 'ws' ? 'ws' : 'sse',
    dataDir,
    policyFile,
    ownPaths: own.filter((path) => path !== undefined),
    concurrency,
    silenceMs,
    aliveEveryMs,
    ...(endpoint && { tracing: { endpoint, serviceName: env.OTEL_SERVICE_NAME || 'gwanje-agent', delayMs } }),
    ...(update === 'auto' && updateKey && { update: { keyFile: updateKey, trialMs } }),
  };
}

/** The folder of the journal. */
export function dataDirOf(env: NodeJS.ProcessEnv): string {
  return resolve(env.AGENT_DATA_DIR || join(homedir(), '.gwanje-agent'));
}

/** Where Node took the environment from, the key with it. */
function environmentFiles(nodeOptions: readonly string[]): string[] {
  const files = { type: 'string', multiple: true } as const;
  const options = { 'env-file': files, 'env-file-if-exists': files };
  const { values } = parseArgs({ args: [...nodeOptions], options, strict: false });
  return Object.values(values).flat().filter((file) => typeof file === 'string').map((file) => resolve(file));
}

function isHttpUrl(text: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
