import { CreateBucketCommand, DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../../tools/servers/ports';
import { stopChild } from '../../../../tools/servers/process';
import { eventually } from './environment';

const STORES = ['account', 'container', 'object'] as const;
const START_MS = 60_000;
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin`;
/** Debian's own, which has the modules of Debian's Swift. */
const PYTHON = '/usr/bin/python3';

export const SWIFT = { programs: [...STORES, 'proxy'].map((name) => `swift-${name}-server`), files: [PYTHON] };

/** Of the one who may use it, named as the AWS SDK looks for them in the environment. */
export const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'gwanje:server', AWS_SECRET_ACCESS_KEY: 'testing' };

/** Where each store is: a ring of one disk. */
const RINGS = `
import sys
from swift.common.ring import RingBuilder
folder, *ports = sys.argv[1:]
for name, port in zip(${JSON.stringify(STORES)}, ports):
    ring = RingBuilder(2, 1, 1)
    place = dict(ip='127.0.0.1', port=int(port), replication_ip='127.0.0.1', replication_port=int(port))
    ring.add_dev(dict(id=0, region=1, zone=1, weight=1, device='disk', **place))
    ring.rebalance()
    ring.get_ring().save(folder + '/' + name + '.ring.gz')
`;
const WRITE = `
import io, sys
from swift.common.internal_client import InternalClient
file, bucket, time, *keys = sys.argv[1:]
client = InternalClient(file, 'gwanje', 1)
for key in keys:
    client.upload_object(io.BytesIO(b'x'), 'AUTH_gwanje', bucket, key, headers={'X-Timestamp': time, 'Content-Length': '1'})
`;
const CLUSTER = '[swift-hash]\nswift_hash_path_prefix = gwanje\nswift_hash_path_suffix = gwanje\n[storage-policy:0]\nname = one\ndefault = yes\n';
const FILTERS = {
  catch_errors: '', gatekeeper: '', cache: 'memcache_servers = 127.0.0.1:1', listing_formats: '', s3api: '',
  tempauth: `user_${CREDENTIALS.AWS_ACCESS_KEY_ID.replace(':', '_')} = ${CREDENTIALS.AWS_SECRET_ACCESS_KEY} .admin`, copy: '', slo: '', dlo: '', versioned_writes: '',
};

/** A real S3-compatible store with one bucket: OpenStack Swift and its S3 API, which checks signatures of version 4. It can be shut, and opened again. */
export class Swift {
  readonly bucket = 'gwanje-artifacts';
  readonly url: string;
  private readonly client: S3Client;
  private readonly stores: ChildProcess[] = [];
  private door?: ChildProcess;
  private log = '';

  private constructor(private readonly folder: string, private readonly port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.client = new S3Client({
      endpoint: this.url, forcePathStyle: true, region: 'us-east-1', requestChecksumCalculation: 'WHEN_REQUIRED',
      credentials: { accessKeyId: CREDENTIALS.AWS_ACCESS_KEY_ID, secretAccessKey: CREDENTIALS.AWS_SECRET_ACCESS_KEY },
    });
  }

  static async start(): Promise<Swift> {
    const swift = new Swift(mkdtempSync(join(tmpdir(), 'gwanje-swift-')), await freePort());
    try {
      await swift.startStores();
      await swift.open();
      await eventually(() => swift.client.send(new CreateBucketCommand({ Bucket: swift.bucket })).then(() => undefined), START_MS);
    } catch (error) {
      await swift.stop();
      throw new Error(`Swift did not start:\n${swift.log.slice(-2_000)}`, { cause: error });
    }
    return swift;
  }

  /** On the same port as before, with all that is stored. */
  async open(): Promise<void> {
    this.door = await this.serve('proxy', this.port, FILTERS);
  }

  /** Nobody gets in. */
  async shut(): Promise<void> {
    if (this.door) await stopChild(this.door, 'SIGTERM');
  }

  async stop(): Promise<void> {
    await this.shut();
    await Promise.all(this.stores.map((store) => stopChild(store, 'SIGTERM')));
    this.client.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async keys(): Promise<string[]> {
    const { Contents = [] } = await this.client.send(new ListObjectsV2Command({ Bucket: this.bucket }));
    return Contents.map(({ Key = '' }) => Key);
  }

  async read(key: string): Promise<{ bytes: Buffer; type: string | undefined }> {
    const { Body, ContentType } = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
    return { bytes: Buffer.from((await Body?.transformToByteArray()) ?? []), type: ContentType };
  }

  /** New objects, as if they had been stored at that time: by the store's own interface, because S3 has no say in it. */
  writeAt(time: Date, keys: string[]): void {
    const file = this.configure('internal', 0, 'proxy', { catch_errors: '', cache: FILTERS.cache });
    execFileSync(PYTHON, ['-c', WRITE, file, this.bucket, (time.getTime() / 1_000).toFixed(5), ...keys], { env: { PATH }, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  async remove(key: string): Promise<void> {
    await this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key }));
  }

  private async startStores(): Promise<void> {
    mkdirSync(join(this.folder, 'disks', 'disk'), { recursive: true });
    writeFileSync(join(this.folder, 'swift.conf'), CLUSTER);
    const ports = [await freePort(), await freePort(), await freePort()];
    execFileSync(PYTHON, ['-c', RINGS, this.folder, ...ports.map(String)], { env: { PATH }, stdio: ['ignore', 'ignore', 'pipe'] });
    for (const [index, name] of STORES.entries()) this.stores.push(await this.serve(name, ports[index] ?? 0));
  }

  private async serve(name: string, port: number, filters: Record<string, string> = {}): Promise<ChildProcess> {
    const file = this.configure(name, port, name, filters);
    const child = spawn(`swift-${name}-server`, [file, '-v'], { env: { PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (this.log += text.toString()));
    child.on('error', (error) => (this.log += error.message));
    try {
      await eventually(() => fetch(`http://127.0.0.1:${port}`).then(() => undefined), START_MS);
    } catch (error) {
      await stopChild(child, 'SIGTERM');
      throw error;
    }
    return child;
  }

  /** Answers the file of a server's settings: of its parts only the filters have any that are not the same for all. */
  private configure(name: string, port: number, server: string, filters: Record<string, string>): string {
    const settings = [
      '[DEFAULT]', 'bind_ip = 127.0.0.1', `bind_port = ${port}`, 'workers = 0', `user = ${userInfo().username}`, `swift_dir = ${this.folder}`,
      `devices = ${join(this.folder, 'disks')}`, 'mount_check = false',
      '[pipeline:main]', `pipeline = ${[...Object.keys(filters), `${server}-server`].join(' ')}`,
      `[app:${server}-server]`, `use = egg:swift#${server}`, 'account_autocreate = true',
      ...Object.entries(filters).flatMap(([filter, line]) => [`[filter:${filter}]`, `use = egg:swift#${filter === 'cache' ? 'memcache' : filter}`, line]),
    ];
    const file = join(this.folder, `${name}.conf`);
    writeFileSync(file, settings.join('\n'));
    return file;
  }
}
