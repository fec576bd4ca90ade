import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Config } from '../core/config/config';
import { NotFound } from '../core/errors/errors';

export interface BundleView {
  version: string;
  /** Hexadecimal, of all bytes. */
  sha256: string;
  size: number;
}
/** As `npm run build:agent -- --sign` wrote it. */
export interface SignedRelease {
  /** JSON of version, sha256 and size. */
  manifest: string;
  /** Base64, Ed25519. */
  signature: string;
}
interface Bundle extends BundleView {
  bytes: Buffer;
  /** Tells one state of the file from another. */
  stamp: string;
}

/** The first line of what `npm run build:agent` writes. */
const FIRST_LINE = /^\/\/ gwanje-agent (\S+) \(.*\)\n/;

/** The agent as one file, and the script that installs it, as the build left them; a new build is served without a restart. */
@Injectable()
export class AgentBundle {
  private bundle?: Bundle;

  constructor(private readonly config: Config) {}

  view(): BundleView {
    const { version, sha256, size } = this.read();
    return { version, sha256, size };
  }

  bytes(): Buffer {
    return this.read().bytes;
  }

  release(): SignedRelease {
    const file = `${this.config.AGENT_BUNDLE}.sig`;
    if (!existsSync(file)) throw new NotFound('signed agent on this server');
    return JSON.parse(readFileSync(file, 'utf8')) as SignedRelease;
  }

  /** The version that agents are offered; undefined when there is none, or none that is signed. */
  offered(): string | undefined {
    const { AGENT_BUNDLE: file } = this.config;
    if (!existsSync(`${file}.sig`) || !existsSync(file)) return undefined;
    try {
      return this.read().version;
    } catch (error) {
      // A file that is being replaced, or is no agent: whoever comes for something else is not refused for it.
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /** Tells one state of what is offered, bundle and signature, from another. */
  stamp(): string {
    const { AGENT_BUNDLE: file } = this.config;
    return `${stampOf(file)} ${stampOf(`${file}.sig`)}`;
  }

  /** For machines that reach the server at this address. Without a token they bring their own. Both go between single quotes of the shell. */
  installScript(server: string, token: string): string {
    const { sha256 } = this.read();
    const keyFile = `${this.config.AGENT_BUNDLE}.pub`;
    const key = existsSync(keyFile) ? readFileSync(keyFile, 'utf8').trim() : '';
    const values: Record<string, string> = { SERVER: server, TOKEN: token, SHA256: sha256, UPDATE_KEY: /^[\w\s+/=-]*$/.test(key) ? key : '' };
    const script = readFileSync(join(dirname(this.config.AGENT_BUNDLE), 'install.sh'), 'utf8');
    return script.replace(/@(SERVER|TOKEN|SHA256|UPDATE_KEY)@/g, (_, name: string) => values[name] ?? '');
  }

  private read(): Bundle {
    const file = this.config.AGENT_BUNDLE;
    const stamp = stampOf(file);
    if (!stamp) throw new NotFound('agent bundle on this server');
    if (this.bundle?.stamp !== stamp) this.bundle = { ...open(file), stamp };
    return this.bundle;
  }
}

/** Empty when there is no such file. */
function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs} ${stat.size} ${stat.ino}` : '';
}

function open(file: string): Omit<Bundle, 'stamp'> {
  const bytes = readFileSync(file);
  const version = FIRST_LINE.exec(bytes.subarray(0, 1_000).toString())?.[1];
  if (!version) throw new NotFound('agent bundle on this server');
  return { version, sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, bytes };
}
