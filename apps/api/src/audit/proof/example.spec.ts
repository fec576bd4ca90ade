import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonical } from './canonical';
import { leafHash, MerkleTree } from './merkle';
import { isSignedBy, keyIdOf, readPublicKey, statementHash } from './signatures';

/** The worked example of docs/audit.md, checked as an outsider would (with node:crypto alone) and as the server does. */
describe('the worked example', () => {
  const example = readFileSync(join(__dirname, '../../../../../docs/audit.md'), 'utf8').split('## Worked example')[1] ?? '';
  const [rowBlock = '', valueBlock = '', statement = ''] = [...example.matchAll(/```\n([\s\S]*?)\n```/g)].map((match) => match[1] ?? '');
  const rows = rowBlock.split('\n');
  const values = new Map(valueBlock.split('\n').map((line) => line.split(/ {2,}/) as [string, string]));
  const publicKey = /`(MCow[^`]*)`/.exec(example)?.[1] ?? '';

  it('holds by the words of the page', () => {
    const sha256 = (...parts: (string | Buffer)[]): Buffer => createHash('sha256').update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();
    const [one, two] = rows.map((row) => sha256(Buffer.from([0]), row));
    expect(one?.toString('hex')).toBe(values.get('leaf 1'));
    expect(two?.toString('hex')).toBe(values.get('leaf 2'));
    expect(sha256(Buffer.from([1]), one ?? '', two ?? '').toString('hex')).toBe(values.get('root'));
    expect(sha256(Buffer.from(publicKey, 'base64')).toString('hex')).toBe(values.get('key id'));
    expect(sha256(statement).toString('hex')).toBe(values.get('statement'));
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), type: 'spki', format: 'der' });
    expect(verify(null, Buffer.from(statement), key, Buffer.from(values.get('signature') ?? '', 'base64'))).toBe(true);
  });

  it('holds by the code', () => {
    expect(rows.map((row) => canonical(JSON.parse(row)))).toEqual(rows);
    expect(new MerkleTree(rows.map(leafHash)).root.toString('hex')).toBe(values.get('root'));
    expect(keyIdOf(readPublicKey(publicKey))).toBe(values.get('key id'));
    const parsed = JSON.parse(statement) as object;
    expect(statementHash(parsed)).toBe(values.get('statement'));
    expect(isSignedBy({ statement: parsed, signature: values.get('signature') ?? '' }, readPublicKey(publicKey))).toBe(true);
  });
});
