import type { JsonSchema, ParameterLimits } from '@gwanje/contracts';

/** The rules that can be said without writing a schema; `schema` is whatever else there is. */
export const LIMIT_KINDS = ['atMost', 'atLeast', 'oneOf', 'matches', 'schema'] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

/** One rule for one parameter, as it is typed: `oneOf` has a value a line, `schema` is JSON. */
export interface LimitRow {
  action: string;
  parameter: string;
  kind: LimitKind;
  value: string;
}

/** Limits as rows, by action and parameter. */
export function readLimits(limits: ParameterLimits): LimitRow[] {
  return Object.entries(limits).flatMap(([action, parameters]) =>
    Object.entries(parameters).map(([parameter, schema]) => ({ action, parameter, ...readRule(schema) })),
  );
}

/** The limits that the rows say, or what is wrong with which row. `parameterOf` tells what the action's own schema says. */
export function writeLimits(
  rows: readonly LimitRow[],
  parameterOf: (row: LimitRow) => JsonSchema | undefined,
): { limits: ParameterLimits } | { row: number; fault: 'wrong' | 'twice' } {
  const limits: ParameterLimits = {};
  for (const [index, row] of rows.entries()) {
    const schema = writeRule(row, parameterOf(row));
    if (!schema || !row.action || !row.parameter) return { row: index, fault: 'wrong' };
    const parameters = (limits[row.action] ??= {});
    if (Object.hasOwn(parameters, row.parameter)) return { row: index, fault: 'twice' };
    parameters[row.parameter] = schema;
  }
  return { limits };
}

/** The rules that make sense for a parameter. */
export function kindsFor(schema: JsonSchema | undefined): LimitKind[] {
  const type = schema?.type;
  if (type === 'integer' || type === 'number') return ['atMost', 'atLeast', 'oneOf', 'schema'];
  if (type === 'string') return ['oneOf', 'matches', 'schema'];
  if (type === 'boolean') return ['oneOf', 'schema'];
  return ['schema', 'oneOf', 'atMost', 'atLeast', 'matches'];
}

function readRule(schema: JsonSchema): Pick<LimitRow, 'kind' | 'value'> {
  const [key, ...others] = Object.keys(schema);
  if (others.length === 0) {
    if (key === 'maximum') return { kind: 'atMost', value: String(schema.maximum) };
    if (key === 'minimum') return { kind: 'atLeast', value: String(schema.minimum) };
    if (key === 'pattern') return { kind: 'matches', value: String(schema.pattern) };
    if (key === 'enum' && schema.enum?.every((value) => typeof value !== 'object')) {
      return { kind: 'oneOf', value: schema.enum.map(String).join('\n') };
    }
  }
  return { kind: 'schema', value: JSON.stringify(schema) };
}

function writeRule({ kind, value }: LimitRow, parameter: JsonSchema | undefined): JsonSchema | null {
  const text = value.trim();
  if (text === '') return null;
  switch (kind) {
    case 'atMost':
    case 'atLeast': {
      const bound = Number(text);
      if (!Number.isFinite(bound)) return null;
      return kind === 'atMost' ? { maximum: bound } : { minimum: bound };
    }
    case 'oneOf': {
      const values = text.split('\n').map((line) => readValue(line.trim(), parameter?.type));
      return values.includes(undefined) ? null : { enum: values };
    }
    case 'matches':
      return isPattern(text) ? { pattern: text } : null;
    case 'schema':
      return readObject(text);
  }
}

function readValue(text: string, type: JsonSchema['type']): unknown {
  if (type === 'integer' || type === 'number')
    return text !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  return text === '' ? undefined : text;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

function readObject(text: string): JsonSchema | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
