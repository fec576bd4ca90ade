import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../servers/ports';
import { messageOf, sleep } from '../servers/process';
import type { Backends } from './backends';
import type { Finding } from './checker';
import type { Call, History } from './history';
import { Load, type LoadSettings, type Machine } from './load';
import { HttpLink } from './network/http-link';
import { TcpLink } from './network/tcp-link';
import type { Patch } from './patch';
import { Random } from './random';
import { SlotWatch } from './slot-watch';
import { Supervised } from './supervised';
import { askPostgres, countOpen, readEffects, readFiles, readJournal, readOnline } from './witnesses';

export interface WorldSettings {
  seed: number;
  servers: number;
  /** Of which every third speaks WebSocket. */
  agents: number;
  /** New commands a second. */
  rate: number;
  patches?: readonly Patch[];
  /** Settings of the agents, on top of the harness's own. */
  agentEnv?: NodeJS.ProcessEnv;
  load?: Partial<Pick<LoadSettings, 'failing' | 'cancels' | 'slow' | 'rate' | 'timeoutMs'>>;
}

export interface AgentHost extends Machine {
  name: string;
  process: Supervised;
  link: TcpLink;
  dataDir: string;
}

const EMAIL = 'admin@example.com';
const READY_MS = 60_000;
const EFFECT = join(__dirname, 'effect.sh');
/** Slots of each machine; its agent has as many. */
const SLOTS = 6;

/** One installation with everything between its parts in the harness's hands: servers, agents, their networks, and the clients' load. */
export class World {
  readonly servers: Supervised[] = [];
  readonly agents: AgentHost[] = [];
  readonly serverPorts: number[] = [];
  load: Load;
  readonly slots = new SlotWatch();
  private token = '';

  private constructor(
    readonly backends: Backends,
    readonly settings: WorldSettings,
    readonly folder: string,
    readonly database: string,
    readonly postgresLink: TcpLink,
    readonly redisLink: TcpLink,
    /** What the agents, and what the clients, reach the servers by. */
    public agentsLink: HttpLink,
    public clientsLink: HttpLink,
  ) {}

  static async start(backends: Backends, settings: WorldSettings): Promise<World> {
    const folder = mkdtempSync(join(backends.folder, 'world-'));
    const database = await backends.createDatabase();
    await backends.withRedis((redis) => redis.flushall());
    const ports = await Promise.all(Array.from({ length: settings.servers }, () => freePort()));
    const world = new World(
      backends,
      settings,
      folder,
      database,
      await TcpLink.open(backends.postgres.port),
      await TcpLink.open(backends.redis.port),
      await HttpLink.open(ports, new Random(settings.seed, 'agents')),
      await HttpLink.open(ports, new Random(settings.seed, 'clients')),
    );
    world.serverPorts.push(...ports);
    try {
      await world.startServers();
      await world.startAgents();
      world.load = new Load(
        {
          port: world.clientsLink.port,
          token: world.token,
          machines: world.agents,
          effectProgram: EFFECT,
          rate: settings.rate,
          ...settings.load,
        },
        new Random(settings.seed, 'load'),
      );
      world.slots.start(() => world.databaseUrl);
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  get databaseUrl(): string {
    return this.backends.databaseUrl(this.database);
  }

  get processes(): Supervised[] {
    return [...this.servers, ...this.agents.map(({ process }) => process)];
  }

  /** Stacks of the exceptions that ended a process. */
  private get crashes(): string[] {
    const file = join(this.folder, 'crashes');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n\n').filter(Boolean) : [];
  }

  /** What needs no history: a process that ended by itself, an answer that no trouble excuses. */
  findings(): Finding[] {
    const exits = this.processes.flatMap((process) =>
      process.exits.filter(({ wanted }) => !wanted).map(({ how }) => `${process.name} ended by itself: ${how}`),
    );
    const answers = [...this.agentsLink.unexpected, ...this.clientsLink.unexpected].map(
      ({ call, status, body }) => `${call} answered ${status}: ${body.slice(0, 300)}`,
    );
    return [...this.crashes, ...exits, ...answers].map((why) => ({ fault: 'unexplained', commandId: null, why }));
  }

  createClient(name: string): Promise<{ id: string; clientKey: string }> {
    return this.post('/api/clients', { name, concurrency: SLOTS });
  }

  /** Whether the agent is connected; false also when PostgreSQL does not say. */
  async isOnline({ id }: AgentHost): Promise<boolean> {
    return (await readOnline(this.databaseUrl).catch((): string[] => [])).includes(id);
  }

  /** The immediate shutdown, as after a crash; resolves when PostgreSQL accepts connections again. */
  async crashPostgres(): Promise<void> {
    await this.backends.crashPostgres();
    this.postgresLink.targetPort = this.backends.postgres.port;
  }

  async startRedis(): Promise<void> {
    await this.backends.startRedis();
    this.redisLink.targetPort = this.backends.redis.port;
  }

  /** Ends whatever the network does; processes come back by themselves. */
  heal(): void {
    for (const link of [
      this.postgresLink,
      this.redisLink,
      this.agentsLink,
      this.clientsLink,
      ...this.agents.map(({ link: own }) => own),
    ])
      link.mend();
    for (const process of this.processes) process.disarm();
    for (const { process } of this.agents) process.setClock(0);
  }

  /** After the last fault: how long it took until every command was at an end and every journal empty; null when they got no fewer for so long. */
  async settle(patienceMs: number): Promise<number | null> {
    const began = Date.now();
    await Promise.all([this.agentsLink.quiet(), this.clientsLink.quiet()]);
    let least = Infinity;
    for (let progressAt = Date.now(), pauseMs = 0; Date.now() - progressAt < patienceMs; await sleep(pauseMs)) {
      const lookedAt = Date.now();
      const unsettled = await this.countUnsettled().catch(() => Infinity);
      // A look at a long queue takes long, and is not to take the machine from those who work it off.
      pauseMs = Math.min(5_000, Math.max(200, 10 * (Date.now() - lookedAt)));
      if (unsettled === 0) return Date.now() - began;
      if (unsettled < least) progressAt = Date.now();
      least = Math.min(least, unsettled);
    }
    return null;
  }

  async history(): Promise<History> {
    const calls: readonly Call[] = this.load.calls;
    await this.slots.stop();
    const entries = await Promise.all(this.agents.map(({ id, dataDir }) => readJournal(id, dataDir)));
    return {
      calls,
      ...(await askPostgres(this.databaseUrl)),
      entries: entries.flat(),
      effects: this.agents.flatMap(({ id, oracle }) => readEffects(id, oracle)),
      files: new Map(this.agents.flatMap(({ files }) => readFiles(files))),
      overruns: this.slots.overruns,
      agentEnds: this.agents.flatMap(({ id, process }) => process.exits.map(({ at }) => ({ clientId: id, at }))),
    };
  }

  async stop(): Promise<void> {
    await this.slots.stop();
    await this.load?.stop();
    await Promise.allSettled(this.processes.map((process) => process.stop('SIGKILL')));
    await Promise.allSettled(
      [
        this.postgresLink,
        this.redisLink,
        this.agentsLink,
        this.clientsLink,
        ...this.agents.map(({ link }) => link),
      ].map((link) => link.close()),
    );
  }

  /** Rejects after a minute. */
  async waitUntilServersReady(): Promise<void> {
    for (const port of this.serverPorts) {
      await until(READY_MS, `the server on port ${port} is ready`, async () => {
        const { ok } = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2_000) });
        return ok;
      });
    }
  }

  private async countUnsettled(): Promise<number> {
    const open = await countOpen(this.databaseUrl);
    if (open > 0) return open;
    const entries = await Promise.all(this.agents.map(({ id, dataDir }) => readJournal(id, dataDir)));
    return entries.flat().length;
  }

  private async startServers(): Promise<void> {
    const { backends, folder, settings } = this;
    const password = randomBytes(18).toString('base64url');
    const common = {
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      LOG_LEVEL: 'warn',
      DB_POOL_MIN: '0',
      DB_POOL_MAX: '10',
      DB_HOT_POOL_MAX: '4',
      DB_POOL_CONNECT_MS: '2000',
      DATABASE_URL: backends.databaseUrl(this.database, this.postgresLink.port),
      REDIS_URL: `redis://127.0.0.1:${this.redisLink.port}`,
      JWT_SECRET: randomBytes(48).toString('base64url'),
      ADMIN_EMAIL: EMAIL,
      ADMIN_PASSWORD: password,
      ARTIFACTS_DIR: join(folder, 'artifacts'),
      AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
      CHAOS_BUG: JSON.stringify(settings.patches ?? []),
    };
    for (const [index, port] of this.serverPorts.entries()) {
      const server = new Supervised(
        `server-${index + 1}`,
        'apps/api/src/main.ts',
        { ...common, PORT: `${port}` },
        folder,
      );
      this.servers.push(server);
      server.start();
    }
    await this.waitUntilServersReady();
    const { accessToken } = await this.post<{ accessToken: string }>('/api/auth/login', { email: EMAIL, password });
    this.token = accessToken;
    // An access token lives for ten minutes.
    const { token } = await this.post<{ token: string }>('/api/auth/tokens', { name: 'chaos' });
    this.token = token;
  }

  private async startAgents(): Promise<void> {
    for (let n = 1; n <= this.settings.agents; n++) {
      const name = `agent-${n}`;
      const { id, clientKey } = await this.createClient(name);
      const home = join(this.folder, name);
      const [dataDir, files, oracle, policy] = [
        join(home, 'data'),
        join(home, 'files'),
        join(home, 'oracle'),
        join(home, 'policy.json'),
      ];
      mkdirSync(files, { recursive: true });
      writeFileSync(policy, JSON.stringify({ paths: [files], programs: [EFFECT] }));
      const link = await TcpLink.open(this.agentsLink.port);
      const env = {
        SERVER_URL: `http://127.0.0.1:${link.port}`,
        CLIENT_KEY: clientKey,
        AGENT_DATA_DIR: dataDir,
        AGENT_POLICY: policy,
        AGENT_CONCURRENCY: `${SLOTS}`,
        AGENT_SILENCE_MS: '30000',
        AGENT_ALIVE_MS: '8000',
        TRANSPORT: n % 3 === 0 ? 'ws' : 'sse',
        LOG_LEVEL: 'info',
        CHAOS_BUG: JSON.stringify(this.settings.patches ?? []),
        ...this.settings.agentEnv,
      };
      const process = new Supervised(name, 'apps/agent/src/main.ts', env, this.folder);
      this.agents.push({ id, name, process, link, dataDir, files, oracle });
      process.start();
    }
    await until(READY_MS, 'the agents are online', async () => {
      const { items } = await this.get<{ items: unknown[] }>('/api/clients?status=online');
      return items.length === this.settings.agents;
    });
  }

  private get<T>(path: string): Promise<T> {
    return this.call(path, {});
  }

  private post<T>(path: string, body: object): Promise<T> {
    return this.call(path, { method: 'POST', body: JSON.stringify(body) });
  }

  private async call<T>(path: string, init: RequestInit): Promise<T> {
    const headers = {
      'Content-Type': 'application/json',
      ...(this.token && { Authorization: `Bearer ${this.token}` }),
    };
    const answer = await fetch(`http://127.0.0.1:${this.clientsLink.port}${path}`, { ...init, headers });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }
}

export async function until(boundMs: number, what: string, check: () => Promise<boolean>): Promise<void> {
  let fault = '';
  for (const end = Date.now() + boundMs; Date.now() < end; await sleep(50)) {
    try {
      if (await check()) return;
    } catch (error) {
      fault = `: ${messageOf(error)}`;
    }
  }
  throw new Error(`waited ${boundMs} ms in vain until ${what}${fault}`);
}
