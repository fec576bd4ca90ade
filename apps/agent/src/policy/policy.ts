import { ACTIONS } from '@gwanje/contracts';
import { Ajv } from 'ajv';
import { readFileSync, realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { messageOf } from '../waiting';

export interface PolicyRules {
  /** Absent: every action. */
  actions?: string[];
  /** Programs that `shell` may run, as written in the command. Absent: none, so shell is off. */
  programs?: string[];
  /** Folders in which files of commands must lie. Absent: anywhere. */
  paths?: string[];
}

const list = { type: 'array', items: { type: 'string', minLength: 1 } };
const schema = {
  type: 'object',
  additionalProperties: false,
  properties: { actions: list, programs: list, paths: list },
};

/** Owns this machine's last word on what it does; it must never let anything from the server change it. */
export class Policy {
  constructor(private readonly rules: PolicyRules) {}

  /** A policy that cannot be read stops the agent: running without it would allow more than its owner wrote. */
  static load(file?: string): Policy {
    if (!file) return new Policy({});
    let rules: unknown;
    try {
      rules = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      throw new Error(`the policy ${file} cannot be read: ${messageOf(error)}`);
    }
    const ajv = new Ajv({ allErrors: true });
    if (!ajv.validate(schema, rules)) throw new Error(`the policy ${file} is wrong: ${ajv.errorsText()}`);
    return new Policy(rules as PolicyRules);
  }

  allowedActions(): string[] {
    return Object.keys(ACTIONS).filter((action) => this.allowsAction(action));
  }

  /** Why this command may not run here, or undefined. */
  refusal(action: string, payload: Record<string, unknown>): string | undefined {
    if (!this.allowsAction(action)) return `this machine's policy does not allow the action ${action}`;
    if (action === 'shell') {
      const program = String(payload.program);
      if (!this.rules.programs?.includes(program)) return `this machine's policy does not allow the program ${program}`;
      // What a relative path means depends on cwd, which the command chooses: it could name any file.
      if (/[\\/]/.test(program) && !isAbsolute(program))
        return `the program ${program} must be a bare name or absolute`;
    }
    for (const field of ['filePath', 'file', 'cwd']) {
      const path = payload[field];
      if (typeof path === 'string' && !this.allowsPath(path))
        return `this machine's policy does not allow the path ${path}`;
    }
    return undefined;
  }

  private allowsAction(action: string): boolean {
    if (action === 'shell' && !this.rules.programs?.length) return false;
    return !this.rules.actions || this.rules.actions.includes(action);
  }

  private allowsPath(path: string): boolean {
    if (!this.rules.paths) return true;
    const target = real(path);
    return this.rules.paths.some((folder) => {
      const way = relative(real(folder), target);
      return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
    });
  }
}

/** Symbolic links are followed, or one inside an allowed folder would lead out of it. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
