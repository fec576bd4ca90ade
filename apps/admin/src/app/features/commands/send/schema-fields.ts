import { type AbstractControl, FormControl, FormGroup, type ValidatorFn, Validators } from '@angular/forms';
import type { JsonSchema } from '@gwanje/contracts';

/** One field of a form that was drawn from a schema. `path` is what the server calls it in its errors. */
export interface Field {
  name: string;
  path: string;
  schema: JsonSchema;
  required: boolean;
  kind: 'text' | 'long' | 'lines' | 'number' | 'flag' | 'choice' | 'json' | 'group';
  control: FormControl<string | number | boolean | null> | FormGroup;
  /** Of a group. */
  fields: Field[];
}

/** A text with room for more than this many characters gets several lines. */
const LONG = 10_000;

/** The fields of an action's payload. What a schema does not say much of is one field of JSON. */
export function fieldsOf(schema: JsonSchema | undefined, path = 'payload'): Field[] {
  if (!schema?.properties) return [field('', { type: 'object' }, path, false)];
  const required = schema.required ?? [];
  return Object.entries(schema.properties).map(([name, inner]) =>
    field(name, inner, `${path}.${name}`, required.includes(name)),
  );
}

export function groupOf(fields: readonly Field[], schema?: JsonSchema): FormGroup {
  const controls = Object.fromEntries(fields.map(({ name, control }) => [name, control]));
  return new FormGroup(controls, schema?.anyOf ? { validators: oneOf(schema) } : {});
}

/** What was filled in; an empty field is left out. */
export function payloadOf(fields: readonly Field[]): Record<string, unknown> {
  const payload: Record<string, unknown> = {};
  for (const field of fields) {
    const value = valueOf(field);
    if (value === undefined) continue;
    if (field.name === '') return value as Record<string, unknown>;
    payload[field.name] = value;
  }
  return payload;
}

function valueOf({ kind, control, fields, schema }: Field): unknown {
  if (kind === 'group') {
    const inner = payloadOf(fields);
    return Object.keys(inner).length > 0 ? inner : undefined;
  }
  const value = control.value as string | number | boolean | null;
  if (value === null || value === '') return undefined;
  if (kind === 'lines') return linesOf(String(value));
  if (kind === 'json') return parse(String(value));
  // A switch that stands where it stands by default says nothing.
  if (kind === 'flag' && value === (schema.default ?? false)) return undefined;
  return value;
}

export const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n');

function field(name: string, schema: JsonSchema, path: string, required: boolean): Field {
  const kind = kindOf(schema, name);
  if (kind === 'group') {
    const fields = fieldsOf(schema, path);
    return { name, path, schema, required, kind, control: groupOf(fields), fields };
  }
  const initial = kind === 'flag' ? (schema.default ?? false) === true : null;
  const control = new FormControl<string | number | boolean | null>(initial, validatorsOf(schema, kind, required));
  return { name, path, schema, required, kind, control, fields: [] };
}

function kindOf({ type, properties, items, enum: choices, maxLength }: JsonSchema, name: string): Field['kind'] {
  if (choices) return 'choice';
  if (type === 'string') return (maxLength ?? 0) > LONG ? 'long' : 'text';
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'boolean') return 'flag';
  if (type === 'array' && items?.type === 'string') return 'lines';
  if (type === 'object' && properties && name !== '') return 'group';
  return 'json';
}

function validatorsOf(schema: JsonSchema, kind: Field['kind'], required: boolean): ValidatorFn[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern } = schema;
  const validators: ValidatorFn[] = required ? [Validators.required] : [];
  if (minimum !== undefined) validators.push(Validators.min(minimum));
  if (maximum !== undefined) validators.push(Validators.max(maximum));
  if (minLength !== undefined) validators.push(Validators.minLength(minLength));
  if (maxLength !== undefined) validators.push(Validators.maxLength(maxLength));
  if (pattern !== undefined) validators.push(Validators.pattern(new RegExp(pattern, 'u')));
  if (kind === 'number' && schema.type === 'integer') validators.push(whole);
  if (kind === 'json') validators.push(schema.type === 'object' ? jsonObject : json);
  if (kind === 'lines') validators.push(lines(minItems ?? 0, maxItems ?? Infinity, schema.items ?? {}));
  return validators;
}

const whole: ValidatorFn = ({ value }: AbstractControl<number | null>) =>
  value === null || Number.isInteger(value) ? null : { whole: true };

const json: ValidatorFn = ({ value }: AbstractControl<string | null>) =>
  !value || parse(value) !== undefined ? null : { json: true };

const jsonObject: ValidatorFn = ({ value }: AbstractControl<string | null>) => {
  const parsed = value ? parse(value) : {};
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? null : { jsonObject: true };
};

function lines(least: number, most: number, item: JsonSchema): ValidatorFn {
  return ({ value }: AbstractControl<string | null>) => {
    if (!value) return null;
    const all = linesOf(value);
    if (all.length < least || all.length > most) return { count: { least, most } };
    const isWrong = all.some(
      (line) => line.length < (item.minLength ?? 0) || line.length > (item.maxLength ?? Infinity),
    );
    return isWrong ? { line: true } : null;
  };
}

/** At least one of the alternatives is filled in. */
function oneOf({ anyOf = [] }: JsonSchema): ValidatorFn {
  return ({ value }: AbstractControl<Record<string, unknown>>) => {
    const isFilled = (name: string): boolean => value[name] !== null && value[name] !== '';
    const names = anyOf.map(({ required = [] }) => required);
    return names.some((alternative) => alternative.every(isFilled))
      ? null
      : { oneOf: names.map((all) => all.join(' + ')) };
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
