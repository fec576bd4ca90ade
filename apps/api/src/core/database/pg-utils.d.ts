/** Not among the types of `pg`: how it writes a value as a parameter. */
declare module 'pg/lib/utils' {
  export function prepareValue(value: unknown): string | Buffer | null;
}
