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
  /** Goes in and never comes out again: redacted in logs, audit and console. */
  writeOnly?: boolean;
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
