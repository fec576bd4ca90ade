import { MAX_ARCHIVE_BYTES } from '@gwanje/contracts';
import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { realPath } from '../policy/real-path';
import type { Policy } from '../policy/policy';
import { messageOf } from '../waiting';
import { Archive } from './archive';
import type { Handler, HandlerContext, HandlerResult } from './handler';
import { readRegularFile } from './read-file';

interface Skipped {
  path: string;
  reason: string;
}

interface Found {
  path: string;
  mtimeMs: number;
}

/** The result must fit into one report. */
const SKIPPED_LISTED = 200;
const MAX_FILES = 10_000;

export function defaultLogPaths(platform: NodeJS.Platform, home = homedir()): string[] {
  if (platform === 'win32') return ['C:\\Windows\\Logs', 'C:\\Windows\\System32\\winevt\\Logs'];
  if (platform === 'darwin') return ['/var/log', '/Library/Logs', `${home}/Library/Logs`];
  return ['/var/log'];
}

/** Owns packing log files into one archive; it must never follow a link out of the folders that it was given. */
export class CollectLogsHandler implements Handler {
  readonly action = 'collect_logs';

  constructor(
    private readonly policy: Policy,
    private readonly platform: NodeJS.Platform = process.platform,
  ) {}

  async run(context: HandlerContext): Promise<HandlerResult> {
    const { paths, maxBytes, since } = context.frame.payload as { paths?: string[]; maxBytes?: number; since?: string };
    const sinceMs = since === undefined ? -Infinity : Date.parse(since);
    if (Number.isNaN(sinceMs)) return { success: false, error: `since is not a date: ${since}` };
    const skipped: Skipped[] = [];
    const found = new Map<string, Found>();
    for (const path of paths ?? defaultLogPaths(this.platform)) {
      await this.find(realPath(path), sinceMs, found, skipped, context.signal);
    }
    const newestFirst = [...found.values()].sort((a, b) => b.mtimeMs - a.mtimeMs);
    const archive = new Archive(maxBytes ?? MAX_ARCHIVE_BYTES);
    for (const { path } of newestFirst) {
      context.signal.throwIfAborted();
      await this.add(archive, path, skipped);
    }
    const more = { skipped: skipped.slice(0, SKIPPED_LISTED), skippedCount: skipped.length };
    if (archive.files === 0) return { success: false, data: more, error: 'there is no file to collect' };
    context.progress({ message: `${archive.files} files packed` });
    const { id, size, sha256 } = await context.upload('logs.tar.gz', 'application/gzip', await archive.close());
    return { success: true, data: { artifactId: id, size, sha256, files: archive.files, ...more } };
  }

  private async find(
    path: string,
    sinceMs: number,
    found: Map<string, Found>,
    skipped: Skipped[],
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    try {
      const stat = await lstat(path);
      if (stat.isSymbolicLink()) throw new Error('a symbolic link');
      if (!this.policy.allowsPath(path)) throw new Error("not allowed by this machine's policy");
      if (stat.isDirectory()) {
        for (const name of await readdir(path)) await this.find(join(path, name), sinceMs, found, skipped, signal);
        return;
      }
      refuse(stat, sinceMs);
      if (found.size >= MAX_FILES) throw new Error(`more than ${MAX_FILES} files`);
      found.set(path, { path, mtimeMs: stat.mtimeMs });
    } catch (error) {
      signal.throwIfAborted();
      skipped.push({ path, reason: messageOf(error) });
    }
  }

  private async add(archive: Archive, path: string, skipped: Skipped[]): Promise<void> {
    try {
      const name = path
        .replace(/^([A-Za-z]):/, '$1')
        .replaceAll('\\', '/')
        .replace(/^\/+/, '');
      archive.add(name, await readRegularFile(path, archive.room));
    } catch (error) {
      skipped.push({ path, reason: messageOf(error) });
    }
  }
}

function refuse(stat: Stats, sinceMs: number): void {
  if (!stat.isFile()) throw new Error('not a regular file');
  if (stat.mtimeMs < sinceMs) throw new Error('not changed since then');
}
