import { ACTIONS } from '@gwanje/contracts';
import { Ajv } from 'ajv';
import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { messageOf } from '../waiting';
import { isInside, realPath } from './real-path';

export interface PolicyRules {
  /** Absent: every action. */
  actions?: string[];
  /** Programs that `shell` may run, as written in the command. Absent: none, so shell is off. */
  programs?: string[];
  /** Folders in which files of commands must lie. Absent: anywhere for reading, nowhere for writing. */
  paths?: string[];
  /** Services that `restart_service` may restart, as written in the command. Absent: none, so it is off. */
  services?: string[];
  /** Absent or `dry-run`: only an `emergency_shutdown` that says `dryRun: true` is answered. */
  emergencyShutdown?: 'dry-run' | 'allow';
}

const list = { type: 'array', items: { type: 'string', minLength: 1 } };
const schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    actions: list,
    programs: list,
    paths: list,
    services: list,
    emergencyShutdown: { enum: ['dry-run', 'allow'] },
  },
};

/** Where Linux shows the environment of every process, the agent's key in its own. */
const PROCESSES = '/proc';

/** Owns this machine's last word on what it does; it must never let anything from the server change it. */
export class Policy {
  /** `own` are the agent's own files and folders, which no command may touch. */
  constructor(
    private readonly rules: PolicyRules,
    private readonly own: readonly string[] = [],
  ) {}

  /** A policy that cannot be read stops the agent: running without it would allow more than its owner wrote. */
  static load(file?: string, own: readonly string[] = []): Policy {
    if (!file) return new Policy({}, own);
    let rules: unknown;
    try {
      rules = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      throw new Error(`the policy ${file} cannot be read: ${messageOf(error)}`);
    }
    const ajv = new Ajv({ allErrors: true });
    if (!ajv.validate(schema, rules)) throw new Error(`the policy ${file} is wrong: ${ajv.errorsText()}`);
    return new Policy(rules as PolicyRules, own);
  }

  allowedActions(): string[] {
    return Object.keys(ACTIONS).filter((action) => this.allowsAction(action));
  }

  /** Why this command may not run here, or undefined. */
  refusal(action: string, payload: Record<string, unknown>): string | undefined {
    if (!this.allowsAction(action)) return forbidden('action', action);
    return this.refusalOf(action, payload) ?? this.refusalOfPaths(payload);
  }

  /** Whether a command may use the file or folder that this path leads to. */
  allowsPath(path: string): boolean {
    const target = realPath(path);
    if (this.own.some((own) => isInside(realPath(own), target))) return false;
    // Of processes only what the owner names as such: the folder `/` does not mean them.
    const { paths } = this.rules;
    const folders = isInside(PROCESSES, target) ? (paths ?? []).filter((folder) => isInside(PROCESSES, realPath(folder))) : paths;
    return folders?.some((folder) => isInside(realPath(folder), target)) ?? true;
  }

  private refusalOf(action: string, payload: Record<string, unknown>): string | undefined {
    if (action === 'shell') {
      const program = String(payload.program);
      if (!this.rules.programs?.includes(program)) return forbidden('program', program);
      // What a relative path means depends on cwd, which the command chooses: it could name any file.
      if (/[\\/]/.test(program) && !isAbsolute(program))
        return `the program ${program} must be a bare name or absolute`;
    }
    if (action === 'restart_service') {
      const service = String(payload.service);
      if (!this.rules.services?.includes(service)) return forbidden('service', service);
    }
    if (action === 'emergency_shutdown' && !payload.dryRun && this.rules.emergencyShutdown !== 'allow') {
      return `this machine's policy allows only a dry run of the action ${action}`;
    }
    return undefined;
  }

  private refusalOfPaths(payload: Record<string, unknown>): string | undefined {
    const listed: unknown[] = Array.isArray(payload.paths) ? payload.paths : [];
    for (const path of [payload.filePath, payload.file, payload.cwd, payload.path, ...listed]) {
      if (typeof path === 'string' && !this.allowsPath(path)) return forbidden('path', path);
    }
    return undefined;
  }

  private allowsAction(action: string): boolean {
    if (action === 'shell' && !this.rules.programs?.length) return false;
    if (action === 'restart_service' && !this.rules.services?.length) return false;
    // To write anywhere is to run anything.
    if (action === 'file_put' && !this.rules.paths?.length) return false;
    return !this.rules.actions || this.rules.actions.includes(action);
  }
}

function forbidden(kind: string, name: string): string {
  return `this machine's policy does not allow the ${kind} ${name}`;
}
