import { query } from './environment';

interface Column {
  table: string;
  name: string;
  type: string;
  nullable: boolean;
  /** A default, an identity or an expression: an INSERT may leave it out. */
  filled: boolean;
}

/** CHECK, FOREIGN KEY, UNIQUE, … and unique indexes, by what they say. */
interface Rule {
  table: string;
  kind: 'unique' | 'check' | 'reference';
  text: string;
  columns: string[];
}

export interface Schema {
  columns: Column[];
  rules: Rule[];
  /** `name(arguments) -> result`. */
  functions: string[];
  /** `type.label`. */
  labels: string[];
}

/** What statements of a program that was written for this schema rely on. */
export async function readSchema(databaseUrl: string): Promise<Schema> {
  const [columns, constraints, indexes, functions, labels] = await Promise.all([
    query<Column>(databaseUrl, `
      SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
        a.atthasdef OR a.attidentity <> '' AS filled
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped`),
    query<Rule>(databaseUrl, `
      SELECT conrelid::regclass::text AS table, CASE contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'reference' ELSE 'unique' END AS kind,
        pg_get_constraintdef(oid) AS text, ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey)) AS columns
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype IN ('c', 'f', 'u', 'p', 'x')`),
    query<Rule>(databaseUrl, `
      SELECT indrelid::regclass::text AS table, 'unique' AS kind, regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', 'USING ') AS text,
        ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY(indkey)) AS columns
      FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indisunique AND c.relnamespace = 'public'::regnamespace`),
    query<{ text: string }>(databaseUrl, `
      SELECT format('%s(%s) -> %s', proname, pg_get_function_identity_arguments(oid), pg_get_function_result(oid)) AS text
      FROM pg_proc WHERE pronamespace = 'public'::regnamespace`),
    query<{ text: string }>(databaseUrl, `SELECT format('%s.%s', enumtypid::regtype, enumlabel) AS text FROM pg_enum`),
  ]);
  const texts = (rows: { text: string }[]): string[] => rows.map(({ text }) => text);
  return { columns, rules: [...constraints, ...indexes], functions: texts(functions), labels: texts(labels) };
}

/**
 * What a program that was written for the schema `before` would find broken in `after`; nothing when the one grew out of the other: whatever
 * was there is there as it was, and nothing new is asked of an INSERT or UPDATE that does not know of it.
 */
export function breaks(before: Schema, after: Schema): string[] {
  const at = ({ table, name }: Column): string => `${table}.${name}`;
  const now = new Map(after.columns.map((column) => [at(column), column]));
  const was = new Set(before.columns.map(at));
  const known = new Set(before.columns.map(({ table }) => table));
  const same = (rule: Rule) => (other: Rule): boolean => other.table === rule.table && other.text === rule.text;
  return [
    ...before.columns.flatMap((old) => {
      const column = now.get(at(old));
      if (!column) return [`${at(old)} is gone`];
      return [
        ...(column.type === old.type ? [] : [`${at(old)} is ${column.type}, no more ${old.type}`]),
        ...(old.nullable && !column.nullable ? [`${at(old)} takes no NULL any more`] : []),
        ...(old.filled && !column.filled ? [`${at(old)} has no default any more`] : []),
      ];
    }),
    ...after.columns
      .filter((column) => known.has(column.table) && !was.has(at(column)) && !column.nullable && !column.filled)
      .map((column) => `${at(column)} is new, and an INSERT without it fails`),
    // An ON CONFLICT names what is unique.
    ...before.rules.filter((rule) => rule.kind === 'unique' && !after.rules.some(same(rule))).map(({ table, text }) => `${table}: no more ${text}`),
    ...after.rules
      .filter((rule) => known.has(rule.table) && !before.rules.some(same(rule)) && rule.columns.some((name) => was.has(`${rule.table}.${name}`)))
      .map(({ table, text }) => `${table}: new ${text}`),
    ...before.functions.filter((text) => !after.functions.includes(text)).map((text) => `the function ${text} is gone`),
    ...before.labels.filter((text) => !after.labels.includes(text)).map((text) => `${text} is gone`),
  ].sort();
}
