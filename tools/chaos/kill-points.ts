import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../start/folder';

const MARKER = /^\s*\/\/ kill point: ([\w.-]+)$/gm;
const kept = new Map<string, readonly string[]>();

/** The names of the kill points below a folder of the project, as its sources mark them. */
export function killPoints(folder: string): readonly string[] {
  const known = kept.get(folder);
  if (known) return known;
  const names = sourcesBelow(folder).flatMap((source) => [...source.matchAll(MARKER)].map(([, name = '']) => name));
  kept.set(folder, names);
  return names;
}

/** The texts of the TypeScript files below a folder of the project. */
export function sourcesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, folder, file), 'utf8'));
}
