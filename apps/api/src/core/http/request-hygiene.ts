import type { FastifyRequest } from 'fastify';
import { InvalidInput } from '../errors/errors';
import { tidy } from './tidy';

const MAX_DEPTH = 32;

/** Looks at the body and at the ids and names in the address, which it tidies; a query is looked at where it is read. */
export function inspectRequest({ body, params }: Pick<FastifyRequest, 'body' | 'params'>): void {
  inspect(params);
  const named = (params ?? {}) as Record<string, string>;
  // `*` is the path of a file.
  for (const [name, value] of Object.entries(named)) if (name !== '*') named[name] = tidy(value);
  if (!Buffer.isBuffer(body)) inspect(body);
}

/** Refuses what JSON can say and PostgreSQL cannot store (NUL, lone surrogates), names that reach for prototypes, and nesting without measure; names the path. */
export function inspect(value: unknown, path = '', depth = 0): void {
  if (depth > MAX_DEPTH) throw new InvalidInput([{ path, message: `nested deeper than ${MAX_DEPTH} levels` }]);
  if (typeof value === 'string') {
    if (!isStorable(value)) throw new InvalidInput([{ path, message: 'has a NUL character or a lone surrogate' }]);
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => inspect(item, `${path}[${index}]`, depth + 1));
  } else if (value && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) {
      const inner = path ? `${path}.${key}` : key;
      if (!isStorable(key)) throw new InvalidInput([{ path: inner, message: 'the name has a NUL character or a lone surrogate' }]);
      if (key === '__proto__') throw new InvalidInput([{ path: inner, message: 'the name is not allowed' }]);
      inspect(item, inner, depth + 1);
    }
  }
}

/** Whether PostgreSQL takes it as a text. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}
