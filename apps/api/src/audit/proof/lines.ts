import type { AuditFilter, AuditKey, CheckpointStatement, EndStatement, SealedAuditItem, Signed } from '@gwanje/contracts';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { STATEMENT_FORM } from './signatures';

/**
 * What an export is made of, whatever its file format: one header; then every checkpoint, followed by those of its rows
 * that the export has; then the end.
 */
export type Line = HeaderLine | CheckpointLine | RowLine | EndLine;

export interface HeaderLine {
  type: 'header';
  version: 1;
  exportId: string;
  createdAt: string;
  /** Every row of the log is here, and the reader may hold the export to it; else a choice, and every row has a proof. */
  complete: boolean;
  filter: AuditFilter | null;
  /** Every key that ever signed, oldest first. */
  keys: AuditKey[];
}

export interface CheckpointLine extends Signed<CheckpointStatement> {
  type: 'checkpoint';
  /** How many of its rows follow: in a complete export all of them, or none when retention dropped them. */
  rows: number;
}

export interface RowLine {
  type: 'row';
  row: SealedAuditItem;
  /** Leaf hash, as it was sealed. */
  leaf: string;
  /** Siblings from the leaf up to its checkpoint's root; absent in a complete export. */
  proof?: string[];
}

export interface EndLine extends Signed<EndStatement> {
  type: 'end';
}

/** The first thing that is wrong with an export, in one sentence. */
export class Fault extends Error {}

const text = { type: 'string' };
const hex = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const signature = { type: 'string', pattern: '^[A-Za-z0-9+/]{85}[AQgw]==$' };
const natural = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const object = (properties: object): object => ({ type: 'object', properties, required: Object.keys(properties), additionalProperties: false });
const statement = (type: string, properties: object): object => {
  const { version, algorithm, hash } = STATEMENT_FORM;
  const form = { type: { const: type }, version: { const: version }, algorithm: { const: algorithm }, hash: { const: hash } };
  return object({ ...form, keyId: hex, ...properties });
};
const vouched = object({ statement: statement('gwanje.audit.key', { newKeyId: hex }), signature });

const schemas = {
  header: object({
    type: text,
    version: { const: STATEMENT_FORM.version },
    exportId: text,
    createdAt: text,
    complete: { type: 'boolean' },
    filter: { type: ['object', 'null'] },
    keys: { type: 'array', items: object({ id: hex, publicKey: text, vouched: { anyOf: [{ type: 'null' }, vouched] } }) },
  }),
  checkpoint: object({
    type: text,
    rows: natural,
    statement: statement('gwanje.audit.checkpoint', {
      number: natural, first: natural, last: natural, count: natural, root: hex, previous: hex, sealedAt: text,
    }),
    signature,
  }),
  row: {
    type: 'object',
    properties: {
      type: text,
      row: { type: 'object', properties: { position: natural, action: text }, required: ['position', 'action'] },
      leaf: hex,
      proof: { type: 'array', items: hex },
    },
    required: ['type', 'row', 'leaf'],
    additionalProperties: false,
  },
  end: object({
    type: text,
    statement: statement('gwanje.audit.export', {
      exportId: text, rows: natural, head: object({ number: natural, last: natural, hash: hex }), digest: hex, endedAt: text,
    }),
    signature,
  }),
};

const ajv = new Ajv({ verbose: true, allowUnionTypes: true });
const validators = Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, ajv.compile(schema)])) as Record<string, ValidateFunction>;

/** Takes only what has exactly the known form: another algorithm, version or field is a fault. */
export function checkForm(line: unknown): Line {
  const type = (line as { type?: unknown } | null)?.type;
  const validate = typeof type === 'string' && Object.hasOwn(validators, type) ? validators[type] : undefined;
  if (!validate) throw new Fault('a line is of no known type');
  if (!validate(line)) throw new Fault(`a line of type ${type as string}: ${explain(validate.errors?.[0])}`);
  return line as Line;
}

export function nameOf(line: Line): string {
  if (line.type === 'row') return `row ${line.row.position}`;
  return line.type === 'checkpoint' ? `checkpoint ${line.statement.number}` : `the ${line.type} of the export`;
}

function explain(error?: ErrorObject): string {
  const place = error?.instancePath.slice(1).replaceAll('/', '.') || 'it';
  if (error?.keyword === 'const') {
    return `${place} is ${JSON.stringify(error.data)}, and only ${JSON.stringify((error.params as { allowedValue: unknown }).allowedValue)} is accepted`;
  }
  const extra = (error?.params as { additionalProperty?: string } | undefined)?.additionalProperty;
  return `${place} ${error?.message ?? 'is malformed'}${extra ? ` (${extra})` : ''}`;
}
