import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const SOURCES = resolve(__dirname, '../..');
const PAGE = resolve(__dirname, '../../../../../docs/problems.md');
/** Where a problem is made: an error of its own, or the answer to one of another's. */
const CODE = /(?:super\((?:\d{3}, )?|new (?:Conflict|Protected)\(|\bstatus: \d{3}, code: )'([a-z]+(?:_[a-z]+)*)'/g;

it('the page about problems has every code that the server makes', () => {
  const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'));
  const codes = new Set(sources.flatMap((name) => [...readFileSync(join(SOURCES, name), 'utf8').matchAll(CODE)].map(([, code]) => code)));
  expect(codes.size).toBeGreaterThan(30);
  const told = new Set([...readFileSync(PAGE, 'utf8').matchAll(/^\| \d{3} \| (.+?) \|/gm)].flatMap(([, names]) => names?.match(/[a-z_]+/g) ?? []));
  expect([...codes].filter((code) => !told.has(code ?? ''))).toEqual([]);
});
