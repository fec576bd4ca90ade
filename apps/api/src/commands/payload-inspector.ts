import { ACTIONS, type JsonSchema } from '@gwanje/contracts';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { RE2JS } from 're2js';
import { InvalidInput } from '../core/errors/errors';

const ajv = new Ajv({ allErrors: true, strict: false });
const builtIn = new Map(Object.values(ACTIONS).map(({ name, payload }) => [name, { validate: ajv.compile(payload), isSecret: secrecyOf(payload) }]));

/** What an agent says of an action that it has. */
export interface AgentAction {
  name: string;
  schema?: JsonSchema;
}

/** Holds a payload against its action's schema: a built-in one, or the one that the agent sent. Names the field at fault; answers which parameters of it are secret. */
export function inspectPayload(action: string, payload: Record<string, unknown>, agentActions: readonly AgentAction[]): string[] {
  const own = agentActions.find(({ name }) => name === action);
  const schema = builtIn.get(action) ?? (own && { validate: compile(own.schema), isSecret: secrecyOf(own.schema) });
  if (!schema) {
    throw new InvalidInput([{ path: 'action', message: `unknown action ${action}; known are ${[...builtIn.keys()].join(', ')}` }]);
  }
  if (accepts(schema.validate, payload)) return Object.keys(payload).filter(schema.isSecret);
  throw new InvalidInput((schema.validate.errors ?? []).map((error) => ({ path: pathOf(error), message: error.message ?? 'is not valid' })));
}

/**
 * Secret is what the schema marks `writeOnly`, and that in which it marks something. Where a mark may be for any parameter (behind a reference,
 * under `anyOf`, `additionalProperties` and the like), all are.
 */
function secrecyOf({ properties = {}, ...others }: JsonSchema = {}): (name: string) => boolean {
  const marked = new Set(Object.entries(properties).flatMap(([name, schema]) => (has(schema, isMark) ? [name] : [])));
  const isUnclear = has(others, isMark) || (marked.size > 0 && has(properties, isReference));
  return (name) => isUnclear || marked.has(name);
}

function isMark(part: object): boolean {
  return 'writeOnly' in part && part.writeOnly === true;
}

function isReference(part: object): boolean {
  return '$ref' in part || '$dynamicRef' in part;
}

/** An agent's schema may be nested deeper than a stack is. */
function has(schema: object, what: (part: object) => boolean): boolean {
  const left: unknown[] = [schema];
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (typeof part !== 'object' || part === null) continue;
    if (what(part)) return true;
    for (const inner of Object.values(part)) left.push(inner ?? null);
  }
  return false;
}

function accepts(validate: ValidateFunction, payload: object): boolean {
  try {
    return validate(payload);
  } catch {
    // It refers to itself without end.
    throw unusable();
  }
}

function compile(schema: object = {}): ValidateFunction {
  try {
    // An asynchronous one would allow everything, and refuse when nobody listens any more.
    if (/"\$async":/.test(JSON.stringify(schema))) throw new Error('asynchronous');
    return new Ajv({ allErrors: true, strict: false, code: { regExp: inLinearTime } }).compile(schema);
  } catch {
    throw unusable();
  }
}

/** The pattern of a stranger: one that goes back and forth could hold the whole process for minutes. It cannot look ahead, nor refer to a group. */
const inLinearTime = Object.assign((pattern: string) => RE2JS.compile(RE2JS.translateRegExp(pattern)), { code: 'inLinearTime' });

const unusable = (): InvalidInput => new InvalidInput([{ path: 'action', message: 'the agent sent a schema of this action that is not valid' }]);

function pathOf({ instancePath, params }: ErrorObject): string {
  const { missingProperty, additionalProperty } = params as { missingProperty?: string; additionalProperty?: string };
  const names = instancePath.split('/').slice(1).concat(missingProperty ?? additionalProperty ?? []);
  return ['payload', ...names].join('.');
}
