import type { RolledBack } from '@gwanje/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { AgentConfig } from '../config';
import { ApiClient } from '../link/api-client';
import { Runner } from '../runner/runner';
import { VERSION } from '../version';
import { messageOf } from '../waiting';
import { LAUNCHED } from './launcher';
import { isNewer, openRelease, type Release, sha256 } from './release';
import { VersionStore } from './version-store';

/** What is under way has this long to end; else work goes on, and the update waits as long. */
const DRAIN_MS = 60_000;
const MOST_BYTES = 100 * 1024 * 1024;

/** Takes up a newer version that the server offers: fetched, checked by the key of this machine, and put in its place for the launcher. */
@Injectable()
export class Updater {
  private readonly log = new Logger('update');
  private work?: Promise<void>;
  /** Heard of while another was looked at. */
  private next?: string;
  /** Ends the agent in order, for the launcher to start the new version. */
  restart: () => void = () => undefined;

  constructor(
    private readonly config: AgentConfig,
    private readonly api: ApiClient,
    private readonly runner: Runner,
  ) {}

  /** What the server is told of a version that was given up on this machine. */
  get rolledBack(): RolledBack | undefined {
    return this.config.update && this.versions.rolledBack;
  }

  private get versions(): VersionStore {
    return new VersionStore(this.config.dataDir, { version: VERSION, file: '' });
  }

  /** After each session, and when the server says so. Never rejects: an update that cannot be taken leaves the agent as it is. */
  consider(offered: string | undefined): void {
    const { update } = this.config;
    if (!update || !process.env[LAUNCHED] || !offered) return;
    if (this.work) {
      this.next = offered;
      return;
    }
    const { versions } = this;
    if (!versions.wants(offered)) return;
    this.work = this.take(update.keyFile, versions)
      .catch((error: unknown) => this.log.error(`version ${offered} was not taken: ${messageOf(error)}`))
      .finally(() => {
        this.work = undefined;
        const { next } = this;
        this.next = undefined;
        this.consider(next);
      });
  }

  private async take(keyFile: string, versions: VersionStore): Promise<void> {
    const signed: unknown = JSON.parse((await this.api.download('/api/agents/release', 65_536)).toString());
    const release = openRelease(signed, readFileSync(keyFile, 'utf8'));
    if (!isNewer(release.version, VERSION))
      throw new Error(`the signed version, ${release.version}, is not newer than ${VERSION}`);
    if (!versions.wants(release.version)) return;
    const bytes = await this.api.download('/api/agents/release/bundle', Math.min(release.size, MOST_BYTES));
    requireWhole(bytes, release);
    if (!(await this.runner.drain(DRAIN_MS))) {
      this.log.warn(`version ${release.version} waits: commands are under way`);
      setTimeout(() => this.consider(release.version), DRAIN_MS).unref();
      return;
    }
    try {
      versions.stage(release, bytes);
    } catch (error) {
      this.runner.endDrain();
      throw error;
    }
    this.log.log(`version ${release.version} takes over from ${VERSION}`);
    this.restart();
  }
}

function requireWhole(bytes: Buffer, release: Release): void {
  if (bytes.length !== release.size) throw new Error(`${bytes.length} bytes came, and not ${release.size}`);
  if (sha256(bytes) !== release.sha256) throw new Error('what came is not what was signed');
}
