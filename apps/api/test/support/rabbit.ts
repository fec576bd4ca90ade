import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../../tools/servers/ports';
import { hasExited, stopChild } from '../../../../tools/servers/process';
import { eventually } from './environment';

const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_MS = 60_000;

export const RABBITMQ = { programs: ['epmd'], files: [SERVER] };

/** A RabbitMQ of its own, with nothing in it, for as long as a test runs. */
export class Rabbit {
  private log = '';

  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (this.log += text.toString()));
  }

  static async start(): Promise<Rabbit> {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-rabbit-'));
    for (const name of ['data', 'log', 'home']) mkdirSync(join(folder, name));
    const [port, distribution, mapper] = [await freePort(), await freePort(), await freePort()];
    writeFileSync(join(folder, 'rabbitmq.conf'), `listeners.tcp.1 = 127.0.0.1:${port}\nloopback_users = none\n`);
    writeFileSync(join(folder, 'plugins'), '[].\n');
    const env = {
      PATH: `${process.env['PATH'] ?? ''}:/usr/sbin`, HOME: join(folder, 'home'), LANG: 'C.UTF-8',
      RABBITMQ_NODENAME: `gwanje${port}@localhost`, RABBITMQ_DIST_PORT: String(distribution), ERL_EPMD_PORT: String(mapper), ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_MNESIA_BASE: join(folder, 'data'), RABBITMQ_LOG_BASE: join(folder, 'log'), RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    };
    const rabbit = new Rabbit(`amqp://guest:guest@127.0.0.1:${port}`, spawn(SERVER, { env, stdio: ['ignore', 'pipe', 'pipe'] }), folder, env);
    try {
      await eventually(() => rabbit.requireListening(port), START_MS);
    } catch (error) {
      await rabbit.stop();
      throw error;
    }
    return rabbit;
  }

  async stop(): Promise<void> {
    await stopChild(this.child, 'SIGTERM', { patience: 20_000 });
    // Erlang's name server, started by the broker, would stay.
    execFileSync('epmd', ['-kill'], { env: this.env, stdio: 'ignore' });
    rmSync(this.folder, { recursive: true, force: true });
  }

  private requireListening(port: number): Promise<void> {
    return new Promise((done, fail) => {
      if (hasExited(this.child)) fail(new Error(`RabbitMQ ended:\n${this.log.slice(-1_000)}`));
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        done();
      });
      socket.once('error', fail);
    });
  }
}
