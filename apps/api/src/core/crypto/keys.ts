import { hkdfSync } from 'node:crypto';

/** The key that is made of JWT_SECRET. It is always there. */
export const JWT_KEY = 1;
/** Under this number nothing opens: what was sealed there was given up for lost. */
export const LOST = 0;
const KEY_BYTES = 32;
const ENTRY = /^(\d{1,3}):([A-Za-z0-9+/]{43}=)$/;

/** Every key by its number: those of SECRETS_KEYS, and the one of JWT_SECRET. */
export function keysOf({ SECRETS_KEYS, JWT_SECRET }: { SECRETS_KEYS: string; JWT_SECRET: string }): ReadonlyMap<number, Buffer> {
  const own = Buffer.from(hkdfSync('sha256', JWT_SECRET, '', `gwanje cipher ${JWT_KEY}`, KEY_BYTES));
  return new Map([[JWT_KEY, own], ...parse(SECRETS_KEYS)]);
}

/** What is wrong with the text of SECRETS_KEYS, without the keys themselves; undefined when nothing is. */
export function faultOfKeys(text: unknown): string | undefined {
  if (text === '') return undefined;
  const entries = String(text).split(',');
  const at = entries.findIndex((entry) => !ENTRY.test(entry));
  if (at >= 0) return `SECRETS_KEYS must be number:base64 of ${KEY_BYTES} bytes, comma-separated (openssl rand -base64 ${KEY_BYTES}): entry ${at + 1} is not`;
  const numbers = parse(String(text)).map(([number]) => number);
  const outside = numbers.find((number) => number <= JWT_KEY || number > 255);
  if (outside !== undefined) return `SECRETS_KEYS must have numbers from ${JWT_KEY + 1} to 255 (${JWT_KEY} is the key that is made of JWT_SECRET): ${outside} is none`;
  const twice = numbers.find((number, index) => numbers.indexOf(number) !== index);
  return twice === undefined ? undefined : `SECRETS_KEYS must have each number once: ${twice} is there twice`;
}

function parse(text: string): [number, Buffer][] {
  return text.split(',').flatMap((entry) => {
    const [, number, key] = ENTRY.exec(entry) ?? [];
    return key === undefined ? [] : [[Number(number), Buffer.from(key, 'base64')]];
  });
}
