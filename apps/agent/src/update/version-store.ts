import type { RollbackReason, RolledBack } from '@gwanje/contracts';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isNewer, type Release, sha256 } from './release';

interface State {
  /** The version that last had a connection. */
  current?: Release;
  /** One that has to show that it connects, and how often it was started. */
  candidate?: Release & { starts: number };
  /** Versions that did not connect, the latest last, and why the latest. */
  bad: string[];
  reason?: RollbackReason;
}

const STARTS = 3;

/**
 * Owns the versions in the data folder, and which of them is to run; the installed one always can. Each change is whole on the disk or
 * not there, so that a power cut leaves a version that runs.
 */
export class VersionStore {
  private readonly folder: string;
  private readonly stateFile: string;

  constructor(
    dataDir: string,
    private readonly installed: { version: string; file: string },
  ) {
    this.folder = join(dataDir, 'versions');
    this.stateFile = join(this.folder, 'state.json');
  }

  /** Whether it may be tried: newer than what is installed and than what runs, and not known as bad. */
  wants(version: string): boolean {
    const { current, bad } = this.read();
    const isAhead = isNewer(version, this.installed.version) && (!current || isNewer(version, current.version));
    return isAhead && !bad.includes(version);
  }

  /** The version that was given up last, while what is installed is older. */
  get rolledBack(): RolledBack | undefined {
    const { bad, reason } = this.read();
    const version = bad.at(-1);
    if (!version || !isNewer(version, this.installed.version)) return undefined;
    return { version, ...(reason && { reason }) };
  }

  /** The next start is a trial of it. */
  stage(release: Release, bytes: Buffer): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.replace(this.fileOf(release), bytes);
    this.write({ ...this.read(), candidate: { ...release, starts: 0 } });
  }

  /** What to start now. A trial is counted before it begins; one that has had all its starts is bad. */
  choose(): { version: string; file: string; isTrial: boolean } {
    const { candidate } = this.read();
    if (candidate) {
      const isWhole = this.isWhole(candidate);
      if (candidate.starts < STARTS && isWhole) {
        this.write({ ...this.read(), candidate: { ...candidate, starts: candidate.starts + 1 } });
        return { version: candidate.version, file: this.fileOf(candidate), isTrial: true };
      }
      this.reject(isWhole ? 'ended' : 'damaged');
    }
    const { current } = this.read();
    const isAhead = current && isNewer(current.version, this.installed.version) && this.isWhole(current);
    return { ...(isAhead ? { version: current.version, file: this.fileOf(current) } : this.installed), isTrial: false };
  }

  /** The trial has a connection: from now on it is what runs. */
  confirm(): void {
    const { candidate, ...kept } = this.read();
    if (!candidate) return;
    const { starts: _, ...current } = candidate;
    this.write({ ...kept, current });
    for (const name of readdirSync(this.folder)) {
      if (name.endsWith('.js') && name !== `${current.sha256}.js`) rmSync(join(this.folder, name), { force: true });
    }
  }

  /** The trial is over: what ran before runs again. */
  reject(reason: RollbackReason): void {
    const { candidate, current, bad } = this.read();
    if (!candidate) return;
    this.write({
      current,
      reason,
      bad: [...bad.filter((version) => version !== candidate.version), candidate.version].slice(-20),
    });
    if (candidate.sha256 !== current?.sha256) rmSync(this.fileOf(candidate), { force: true });
  }

  private fileOf({ sha256: hash }: Release): string {
    return join(this.folder, `${hash}.js`);
  }

  private isWhole(release: Release): boolean {
    try {
      return sha256(readFileSync(this.fileOf(release))) === release.sha256;
    } catch {
      return false;
    }
  }

  private read(): State {
    try {
      return JSON.parse(readFileSync(this.stateFile, 'utf8')) as State;
    } catch {
      return { bad: [] };
    }
  }

  private write(state: State): void {
    this.replace(this.stateFile, Buffer.from(JSON.stringify(state)));
  }

  private replace(file: string, bytes: Buffer): void {
    writeFileSync(`${file}.part`, bytes, { mode: 0o600, flush: true });
    renameSync(`${file}.part`, file);
    if (process.platform === 'win32') return;
    const folder = openSync(dirname(file), 'r');
    fsyncSync(folder);
    closeSync(folder);
  }
}
