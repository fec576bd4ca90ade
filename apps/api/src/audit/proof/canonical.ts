/**
 * The canonical text of a JSON value (RFC 8785): no white space, object keys in the order of their UTF-16 code units,
 * strings and numbers as ECMAScript's JSON.stringify writes them. The same value gives the same bytes everywhere.
 */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => (item === undefined ? 'null' : canonical(item))).join(',')}]`;
  const object = value as Record<string, unknown>;
  let text = '';
  for (const key of Object.keys(object).sort()) {
    if (object[key] !== undefined) text += `${text && ','}${JSON.stringify(key)}:${canonical(object[key])}`;
  }
  return `{${text}}`;
}
