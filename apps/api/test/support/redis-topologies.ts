import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../../tools/servers/ports';
import { stopChild } from '../../../../tools/servers/process';
import { certify } from './certificate';
import { eventually } from './environment';

export const REDIS_PROGRAMS = { programs: ['redis-server', 'redis-sentinel', 'redis-cli', 'openssl'] };
const MASTER = 'gwanje-master';

interface Node {
  port: number;
  child: ChildProcess;
}

/** One or several real Redis processes that know of each other, all with one password. */
export class RedisTopology {
  private readonly folder = mkdtempSync(join(tmpdir(), 'gwanje-redis-'));
  private readonly nodes: Node[] = [];
  private readonly password = 'a-password-for-tests';
  url = '';
  /** The certificate that a client has to trust: PEM file. */
  authority?: string;

  private constructor() {}

  /** A master, a replica and three sentinels that agree within a second or two. */
  static async sentinels(): Promise<RedisTopology> {
    const topology = new RedisTopology();
    const access = ['--requirepass', topology.password, '--masterauth', topology.password];
    const master = await topology.start(access);
    await topology.start([...access, '--replicaof', '127.0.0.1', String(master.port)]);
    const ports = [];
    for (let n = 0; n < 3; n++) {
      const port = await freePort();
      ports.push(port);
      const file = join(topology.folder, `sentinel-${port}.conf`);
      writeFileSync(
        file,
        `port ${port}\nbind 127.0.0.1\nsentinel monitor ${MASTER} 127.0.0.1 ${master.port} 2\nsentinel auth-pass ${MASTER} ${topology.password}\n` +
          `sentinel down-after-milliseconds ${MASTER} 1000\nsentinel failover-timeout ${MASTER} 5000\n`,
      );
      topology.nodes.push({ port, child: spawn('redis-sentinel', [file], { stdio: 'ignore' }) });
    }
    topology.url = `redis-sentinel://:${topology.password}@${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${MASTER}`;
    // Until each sentinel knows the replica and the two others.
    for (const port of ports) await eventually(() => expect(topology.ask(port, 'info', 'sentinel')).toMatch(/slaves=1,sentinels=3/), 20_000);
    return topology;
  }

  /** Three masters that share the slots. */
  static async cluster(): Promise<RedisTopology> {
    const topology = new RedisTopology();
    const access = ['--requirepass', topology.password, '--masterauth', topology.password, '--cluster-enabled', 'yes'];
    for (let n = 0; n < 3; n++) await topology.start(access);
    const hosts = topology.nodes.map(({ port }) => `127.0.0.1:${port}`);
    topology.ask(0, '--cluster', 'create', ...hosts, '--cluster-yes');
    for (const { port } of topology.nodes) await eventually(() => expect(topology.ask(port, 'cluster', 'info')).toMatch(/cluster_state:ok/), 20_000);
    topology.url = `redis-cluster://:${topology.password}@${hosts.join(',')}`;
    return topology;
  }

  /** One that speaks TLS only. */
  static async tls(): Promise<RedisTopology> {
    const topology = new RedisTopology();
    const { cert, key } = certify(topology.folder, 'localhost');
    topology.authority = cert;
    const port = await freePort();
    const options = ['--port', '0', '--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no'];
    const child = spawn('redis-server', [...options, '--bind', '127.0.0.1', '--dir', topology.folder, '--save', '', '--requirepass', topology.password], { stdio: 'ignore' });
    topology.nodes.push({ port, child });
    await eventually(() => expect(topology.ask(port, '--tls', '--cacert', cert, 'ping')).toContain('PONG'));
    topology.url = `rediss://:${topology.password}@localhost:${port}`;
    return topology;
  }

  /** The power cut of the first node. */
  async killFirst(): Promise<void> {
    const [first] = this.nodes;
    if (first) await stopChild(first.child, 'SIGKILL');
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ child }) => stopChild(child, 'SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async start(options: string[]): Promise<Node> {
    const port = await freePort();
    const folder = join(this.folder, String(port));
    mkdirSync(folder);
    // The bus of a cluster has a port of its own, which is otherwise ten thousand higher, and may be none.
    const bus = options.includes('--cluster-enabled') ? ['--cluster-port', String(await freePort())] : [];
    const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...options, ...bus], { stdio: 'ignore' });
    const node = { port, child };
    this.nodes.push(node);
    await eventually(() => expect(this.ask(port, 'ping')).toContain('PONG'));
    return node;
  }

  private ask(port: number, ...command: string[]): string {
    const at = port > 0 ? ['-p', String(port)] : [];
    return execFileSync('redis-cli', [...at, ...command], { env: { ...process.env, REDISCLI_AUTH: this.password }, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  }
}
