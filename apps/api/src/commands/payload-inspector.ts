import { ACTIONS, type JsonSchema } from '@gwanje/contracts';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { InvalidInput } from '../core/errors/errors';

const ajv = new Ajv({ allErrors: true, strict: false });
const builtIn = new Map<string, ValidateFunction>(Object.values(ACTIONS).map(({ name, payload }) => [name, ajv.compile(payload)]));

/** What an agent says of an action that it has. */
export interface AgentAction {
  name: string;
  schema?: JsonSchema;
}

/** Holds a payload against its action's schema: a built-in one, or the one that the agent sent. Names the field at fault; answers the secret parameters. */
export function inspectPayload(action: string, payload: unknown, agentActions: readonly AgentAction[]): string[] {
  const own = agentActions.find(({ name }) => name === action);
  const validate = builtIn.get(action) ?? (own && compile(own.schema));
  if (!validate) {
    throw new InvalidInput([{ path: 'action', message: `unknown action ${action}; known are ${[...builtIn.keys()].join(', ')}` }]);
  }
  if (validate(payload)) return secretParameters(ACTIONS[action]?.payload ?? own?.schema);
  throw new InvalidInput((validate.errors ?? []).map((error) => ({ path: pathOf(error), message: error.message ?? 'is not valid' })));
}

/** Those that the schema marks `writeOnly`. */
function secretParameters({ properties = {} }: JsonSchema = {}): string[] {
  return Object.entries(properties).flatMap(([name, { writeOnly }]) => (writeOnly ? [name] : []));
}

function compile(schema: object = {}): ValidateFunction {
  try {
    return new Ajv({ allErrors: true, strict: false }).compile(schema);
  } catch {
    throw new InvalidInput([{ path: 'action', message: 'the agent sent a schema of this action that is not valid' }]);
  }
}

function pathOf({ instancePath, params }: ErrorObject): string {
  const { missingProperty, additionalProperty } = params as { missingProperty?: string; additionalProperty?: string };
  const names = instancePath.split('/').slice(1).concat(missingProperty ?? additionalProperty ?? []);
  return ['payload', ...names].join('.');
}
