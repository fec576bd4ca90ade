import { ACTIONS, ANY_ACTION, type ParameterLimits } from '@gwanje/contracts';
import { Ajv, type ValidateFunction } from 'ajv';
import { InvalidInput } from '../core/errors/errors';

export interface Fault {
  path: string;
  message: string;
}

const ajv = new Ajv({ allErrors: true, strict: false });
const compiled = new Map<string, ValidateFunction>();
const MAX_COMPILED = 1_000;

/** What of `payload` these limits do not allow. A limited parameter must be given, unless the action's schema has a default for it. */
export function limitFaults(limits: ParameterLimits, action: string, payload: Record<string, unknown>): Fault[] {
  const parameters = Object.hasOwn(limits, action) ? limits[action] : undefined;
  if (!parameters) return [];
  return Object.entries(parameters).flatMap(([name, schema]) => {
    const value = (Object.hasOwn(payload, name) ? payload[name] : undefined) ?? defaultOf(action, name);
    const path = `payload.${name}`;
    if (value === undefined) return [{ path, message: 'must be given: your grant limits it' }];
    const validate = compile(schema);
    if (validate(value)) return [];
    return (validate.errors ?? []).map((error) => ({
      path: [path, ...error.instancePath.split('/').slice(1)].join('.'),
      message: `${error.message ?? 'is not allowed'} (the limit of your grant)`,
    }));
  });
}

/** Refuses limits that could never be held against a payload: unknown actions' limits, or schemas that are none. */
export function inspectLimits(limits: ParameterLimits, actions: readonly string[], path: string): void {
  const faults = Object.entries(limits).flatMap(([action, parameters]) => {
    const at = `${path}.limits.${action}`;
    if (action === ANY_ACTION) return [{ path: at, message: 'limits name one action each' }];
    if (!actions.includes(action) && !actions.includes(ANY_ACTION)) return [{ path: at, message: 'the grant does not name this action' }];
    if (!isRecord(parameters)) return [{ path: at, message: 'must be an object of parameter names and schemas' }];
    return Object.entries(parameters).flatMap(([name, schema]) => inspectSchema(schema, `${at}.${name}`));
  });
  if (faults.length > 0) throw new InvalidInput(faults);
}

function inspectSchema(schema: unknown, path: string): Fault[] {
  if (!isRecord(schema) || JSON.stringify(schema).length > 10_000) return [{ path, message: 'must be a JSON Schema of at most 10,000 characters' }];
  // At any depth: a schema that refers to itself could be held against a payload without end, and an asynchronous one allows all.
  if (/"\$(ref|id|async|dynamicRef|recursiveRef)":/.test(JSON.stringify(schema))) return [{ path, message: 'must not use $ref, $id or $async' }];
  try {
    compile(schema);
    return [];
  } catch (error) {
    return [{ path, message: `is not a JSON Schema: ${(error as Error).message}` }];
  }
}

const defaultOf = (action: string, name: string): unknown => (Object.hasOwn(ACTIONS, action) ? ACTIONS[action]?.payload.properties?.[name]?.default : undefined);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function compile(schema: object): ValidateFunction {
  const key = JSON.stringify(schema);
  let validate = compiled.get(key);
  if (!validate) {
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    validate = ajv.compile(schema);
    compiled.set(key, validate);
  }
  return validate;
}
