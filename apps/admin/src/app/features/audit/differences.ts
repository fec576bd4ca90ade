/** One field of what was changed; values as text, null where there is nothing. */
export interface Difference {
  path: string;
  before: string | null;
  after: string | null;
  kind: 'added' | 'removed' | 'changed' | 'same';
}

type Fields = Map<string, string>;

/** Compares two values field by field, in the order of their names; what is not an object is one field without a name. */
export function differences(before: unknown, after: unknown): Difference[] {
  const [was, is] = [fieldsOf(before), fieldsOf(after)];
  const paths = [...new Set([...was.keys(), ...is.keys()])].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return paths.map((path) => {
    const [old, now] = [was.get(path) ?? null, is.get(path) ?? null];
    return {
      path,
      before: old,
      after: now,
      kind: old === null ? 'added' : now === null ? 'removed' : old === now ? 'same' : 'changed',
    };
  });
}

/** The fields of a value, by path: `limits.print.copies`, `items[0].user`; a list of plain values is one field, an empty one is none. */
export function fieldsOf(value: unknown): Fields {
  const fields: Fields = new Map();
  collect(value, '', fields);
  return fields;
}

function collect(value: unknown, path: string, fields: Fields): void {
  if (value === null || value === undefined) {
    if (path !== '' && value === null) fields.set(path, '–');
    return;
  }
  if (typeof value !== 'object') {
    fields.set(path, typeof value === 'string' ? value : JSON.stringify(value));
    return;
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return;
    if (value.every((item) => typeof item !== 'object' || item === null))
      fields.set(path, value.map(String).join(', '));
    else value.forEach((item, index) => collect(item, `${path}[${index}]`, fields));
    return;
  }
  for (const [name, part] of Object.entries(value)) collect(part, path === '' ? name : `${path}.${name}`, fields);
}
