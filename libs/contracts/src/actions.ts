/** The part of JSON Schema (draft 2020-12 words) that action schemas use. */
export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  enum?: readonly unknown[];
  anyOf?: readonly JsonSchema[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
}

/**
 * One action: its schema serves the server's validation, the agent's validation, the console's form and the API document.
 * An `idempotent` action may be run again when nobody knows whether it happened.
 */
export interface ActionDefinition {
  name: string;
  description: string;
  idempotent: boolean;
  /** The console asks twice before it sends this. */
  destructive: boolean;
  payload: JsonSchema;
}

const path: JsonSchema = { type: 'string', minLength: 1, maxLength: 4096 };

const definitions: readonly ActionDefinition[] = [
  {
    name: 'noop',
    description: 'Does nothing and answers; proves that the whole line works',
    idempotent: true,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      properties: {
        delayMs: { type: 'integer', minimum: 0, maximum: 3_600_000, description: 'Wait this long before the answer' },
        echo: { description: 'Any value, given back in the result' },
      },
    },
  },
  {
    name: 'print',
    description: 'Prints a file of the machine; the result has the spooler’s job id and state',
    idempotent: false,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      anyOf: [{ required: ['filePath'] }, { required: ['file'] }],
      properties: {
        filePath: path,
        file: { ...path, description: 'The same as filePath' },
        printer: { type: 'string', minLength: 1, maxLength: 127, pattern: '^[^\\s/#-][^\\s/#]*$' },
        copies: { type: 'integer', minimum: 1, maximum: 999, default: 1 },
        options: {
          type: 'object',
          additionalProperties: false,
          properties: { duplex: { type: 'boolean' } },
        },
      },
    },
  },
  {
    name: 'screenshot',
    description: 'Takes a picture of the screen; it comes back as an artifact',
    idempotent: true,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      properties: { display: { type: 'string', maxLength: 64, pattern: '^:?[\\w.:-]+$' } },
    },
  },
  {
    name: 'shell',
    description: 'Runs a program that the machine’s own policy allows, without a shell in between',
    idempotent: false,
    destructive: true,
    payload: {
      type: 'object',
      additionalProperties: false,
      required: ['program'],
      properties: {
        program: path,
        args: { type: 'array', maxItems: 1000, items: { type: 'string', maxLength: 32_768 } },
        cwd: path,
      },
    },
  },
  {
    name: 'system_info',
    description: 'Host name, platform, processors, memory, uptime',
    idempotent: true,
    destructive: false,
    payload: { type: 'object', additionalProperties: false, properties: {} },
  },
];

export const ACTIONS: Readonly<Record<string, ActionDefinition>> = Object.fromEntries(
  definitions.map((action) => [action.name, action]),
);
