import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../../../../tools/servers/ports';
import { stopChild } from '../../../../tools/servers/process';
import { certify } from './certificate';
import { eventually } from './environment';

const SAMPLES = resolve(__dirname, '..', '..', '..', '..', 'deploy', 'nginx');

export const NGINX = { programs: ['nginx', 'openssl'] };

/** A real nginx with the sample configuration of `deploy/`, in which only addresses and paths are put. */
export class Nginx {
  private constructor(
    readonly url: string,
    /** The certificate that it shows, for those who must trust it. */
    readonly certificate: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(ports: { api: string[]; gateway: string[] }): Promise<Nginx> {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-nginx-'));
    const port = await freePort();
    const { cert, key } = certify(folder, 'localhost');
    const server = /^ {4}server 127\.0\.0\.1:300\d (.*)$/gm;
    const addresses = [...ports.api, ...ports.gateway].values();
    const sample = ['upstreams.conf', 'gwanje.conf'].map((name) => readFileSync(join(SAMPLES, name), 'utf8')).join('\n')
      .replace(server, (_, rest: string) => `    server 127.0.0.1:${addresses.next().value} ${rest}`)
      .replace('listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`)
      .replace('/etc/gwanje/tls/cert.pem', cert)
      .replace('/etc/gwanje/tls/key.pem', key);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, name)};`).join('\n');
    const file = join(folder, 'nginx.conf');
    writeFileSync(
      file,
      `daemon off;\npid ${join(folder, 'pid')};\nerror_log ${join(folder, 'error.log')};\nworker_processes 1;\nevents { worker_connections 1024; }\n` +
        `http {\naccess_log off;\n${temporary}\n${sample}}\n`,
    );
    const path = `${process.env['PATH'] ?? ''}:/usr/sbin`;
    // Names the line of a mistake.
    execFileSync('nginx', ['-t', '-q', '-c', file, '-p', folder], { env: { PATH: path }, stdio: ['ignore', 'ignore', 'pipe'] });
    const child = spawn('nginx', ['-c', file, '-p', folder], { env: { PATH: path }, stdio: 'ignore' });
    const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
    const nginx = new Nginx(`https://localhost:${port}`, cert, folder, child);
    const listens = eventually(() => nginx.requireListening(port));
    await Promise.race([failed, listens]);
    return nginx;
  }

  async stop(): Promise<void> {
    await stopChild(this.child, 'SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private requireListening(port: number): Promise<void> {
    return new Promise<void>((done, fail) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        done();
      });
      socket.once('error', fail);
    });
  }
}
