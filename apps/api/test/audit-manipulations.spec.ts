import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { canonical } from '../src/audit/proof/canonical';
import { csv } from '../src/audit/proof/csv';
import { type CheckpointLine, type EndLine, Fault, type HeaderLine, type Line, type RowLine } from '../src/audit/proof/lines';
import { leafHash } from '../src/audit/proof/merkle';
import { ndjson } from '../src/audit/proof/ndjson';
import { keyIdOf, publicBytes, signStatement } from '../src/audit/proof/signatures';
import { ExportReader } from '../src/audit/proof/verify-file';
import { AuditDesk } from './support/audit';
import { TestEnvironment } from './support/environment';

const CODECS = { csv, ndjson };
type Format = keyof typeof CODECS;
const TIMES = 2_500;

/** A small generator with a seed (mulberry32), so that a finding can be repeated. */
function chance(seed: number): { below(limit: number): number; pick<T>(items: T[]): T } {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, pick: (items) => items[below(items.length)] as never };
}
type Chance = ReturnType<typeof chance>;

const forger = generateKeyPairSync('ed25519');
const of = <T extends Line>(lines: Line[], type: T['type']): T[] => lines.filter((line) => line.type === type) as T[];
const copyOf = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
const relabel = (line: RowLine): void => void (line.leaf = leafHash(canonical(line.row)).toString('hex'));
const otherHash = (dice: Chance, hash: string): string => {
  const at = dice.below(64);
  return hash.slice(0, at) + ((parseInt(hash[at] ?? '0', 16) + 1 + dice.below(15)) % 16).toString(16) + hash.slice(at + 1);
};

/** Each changes the lines in place, as somebody without the key could, clumsily or cleverly. */
const MANIPULATIONS: Record<string, (lines: Line[], dice: Chance) => void> = {
  'changes a row': (lines, dice) => {
    const { row } = dice.pick(of<RowLine>(lines, 'row'));
    const field = dice.pick(['id', 'at', 'address', 'action', 'clientId', 'requestId', 'detail', 'before', 'after'] as const);
    if (field === 'detail' || field === 'before' || field === 'after') row[field] = { forged: dice.below(1e9) };
    else row[field] = `${row[field] ?? ''}${dice.below(10)}`;
  },
  'changes who did it, and the leaf hash with it': (lines, dice) => {
    const line = dice.pick(of<RowLine>(lines, 'row'));
    line.row.actor = { ...line.row.actor, name: `somebody-${dice.below(1e9)}` };
    relabel(line);
  },
  'changes a leaf hash': (lines, dice) => {
    const line = dice.pick(of<RowLine>(lines, 'row'));
    line.leaf = otherHash(dice, line.leaf);
  },
  'deletes lines': (lines, dice) => void lines.splice(dice.below(lines.length), 1 + dice.below(3)),
  'deletes a row and closes the gap': (lines, dice) => {
    const gone = dice.pick(of<RowLine>(lines, 'row'));
    const after = of<RowLine>(lines, 'row').filter(({ row }) => row.position > gone.row.position);
    lines.splice(lines.indexOf(gone), 1);
    for (const line of after) {
      line.row.position--;
      if (dice.below(2)) relabel(line);
    }
    for (const end of of<EndLine>(lines, 'end')) end.statement.rows--;
  },
  'deletes a whole checkpoint with its rows': (lines, dice) => {
    const at = lines.indexOf(dice.pick(of<CheckpointLine>(lines, 'checkpoint')));
    lines.splice(at, 1 + (lines[at] as CheckpointLine).rows);
  },
  'says that retention dropped rows': (lines, dice) => {
    const checkpoints = of<CheckpointLine>(lines, 'checkpoint');
    for (const checkpoint of checkpoints.slice(0, 1 + dice.below(checkpoints.length))) {
      lines.splice(lines.indexOf(checkpoint) + 1, checkpoint.rows);
      checkpoint.rows = 0;
    }
  },
  'doubles a line': (lines, dice) => {
    const line = dice.pick(lines);
    lines.splice(dice.below(2) ? lines.indexOf(line) : dice.below(lines.length), 0, copyOf(line));
  },
  'moves a line': (lines, dice) => {
    const [line] = lines.splice(dice.below(lines.length), 1);
    if (line) lines.splice(dice.below(lines.length + 1), 0, line);
  },
  'swaps two rows, positions and leaf hashes made to fit': (lines, dice) => {
    const [one, two] = [dice.pick(of<RowLine>(lines, 'row')), dice.pick(of<RowLine>(lines, 'row'))];
    [one.row, two.row] = [two.row, one.row];
    if (dice.below(2)) [one.row.position, two.row.position] = [two.row.position, one.row.position];
    if (dice.below(2)) [one, two].forEach(relabel);
  },
  'changes a position': (lines, dice) => {
    const line = dice.pick(of<RowLine>(lines, 'row'));
    line.row.position = Math.max(0, line.row.position + dice.pick([-2, -1, 1, 2, 100]));
    if (dice.below(2)) relabel(line);
  },
  'cuts the tail, and the signed end with it or not': (lines, dice) => {
    const keepsEnd = dice.below(2);
    const end = lines.at(-1) as Line;
    lines.splice(1 + dice.below(lines.length - 1));
    if (keepsEnd) lines.push(end);
  },
  'cuts checkpoints off and makes the end agree': (lines, dice) => {
    const checkpoints = of<CheckpointLine>(lines, 'checkpoint');
    const kept = 1 + dice.below(checkpoints.length - 1);
    const [last, end] = [checkpoints[kept - 1] as CheckpointLine, lines.at(-1) as EndLine];
    lines.splice(lines.indexOf(checkpoints[kept] as Line), Infinity, end);
    end.statement.head = { ...end.statement.head, number: last.statement.number, last: last.statement.last };
    end.statement.rows = of<RowLine>(lines, 'row').length;
    if (dice.below(2)) Object.assign(end, signStatement(end.statement, forger.privateKey));
  },
  'edits the header': (lines, dice) => {
    const header = lines[0] as HeaderLine;
    const edit = dice.pick([
      () => (header.complete = !header.complete),
      () => (header.exportId += 'x'),
      () => (header.createdAt += 'x'),
      () => (header.keys = []),
      () => (header.filter = { actor: `${dice.below(1e9)}` }),
      () => ((header as { version: number }).version = dice.below(9) + 2),
      () => ((header.keys[0] as { id: string }).id = otherHash(dice, header.keys[0]?.id ?? '')),
    ]);
    edit();
  },
  'edits a checkpoint': (lines, dice) => {
    const line = dice.pick(of<CheckpointLine>(lines, 'checkpoint'));
    const { statement } = line;
    const number = dice.pick(['number', 'first', 'last', 'count', 'rows'] as const);
    const edit = dice.pick([
      () => (number === 'rows' ? line.rows++ : statement[number]++),
      () => (statement.root = otherHash(dice, statement.root)),
      () => (statement.previous = otherHash(dice, statement.previous)),
      () => (statement.keyId = otherHash(dice, statement.keyId)),
      () => (statement.sealedAt += '0'),
    ]);
    edit();
    if (dice.below(2)) line.signature = signStatement(statement, forger.privateKey).signature;
  },
  'edits the end': (lines, dice) => {
    const line = lines.at(-1) as EndLine;
    const { statement } = line;
    const edit = dice.pick([
      () => statement.rows++,
      () => statement.head.number++,
      () => statement.head.last--,
      () => (statement.head.hash = otherHash(dice, statement.head.hash)),
      () => (statement.digest = otherHash(dice, statement.digest)),
      () => (statement.endedAt += '0'),
      () => (statement.exportId += 'x'),
    ]);
    edit();
    if (dice.below(2)) line.signature = signStatement(statement, forger.privateKey).signature;
  },
  'edits a signature': (lines, dice) => {
    const line = dice.pick([...of<CheckpointLine>(lines, 'checkpoint'), ...of<EndLine>(lines, 'end')]);
    const bytes = Buffer.from(line.signature, 'base64');
    bytes[dice.below(64)]! ^= 1 + dice.below(255);
    line.signature = bytes.toString('base64');
  },
  downgrades: (lines, dice) => {
    const line = dice.pick([...of<CheckpointLine>(lines, 'checkpoint'), ...of<EndLine>(lines, 'end')]);
    const [field, value] = dice.pick<[string, unknown]>([
      ['algorithm', 'HMAC'],
      ['algorithm', 'none'],
      ['algorithm', 'RSA'],
      ['hash', 'MD5'],
      ['hash', 'SHA-1'],
      ['version', 0],
      ['version', 2],
      ['version', '1'],
    ]);
    Object.assign(line.statement, { [field]: value });
    if (dice.below(2)) line.signature = signStatement(line.statement, forger.privateKey).signature;
  },
  'signs everything anew with another key': (lines, dice) => {
    const id = keyIdOf(forger.publicKey);
    const header = lines[0] as HeaderLine;
    const key = { id, publicKey: publicBytes(forger.publicKey).toString('base64'), vouched: null };
    header.keys = dice.below(2) ? [key] : [...header.keys, key];
    for (const line of [...of<CheckpointLine>(lines, 'checkpoint'), ...of<EndLine>(lines, 'end')]) {
      if (dice.below(2)) line.statement.keyId = id;
      Object.assign(line, signStatement(line.statement, forger.privateKey));
    }
  },
};

/** Bytes, as a broken disk or a hex editor would change them. */
function damage(bytes: Buffer, dice: Chance): Buffer {
  const at = dice.below(bytes.length);
  const changed = Buffer.from(bytes);
  switch (dice.below(4)) {
    case 0:
      changed[at]! ^= 1 << dice.below(8);
      return changed;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(20))]);
    default:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(dice.pick([' ', '\n', '"', '0', '\ufffd'])), bytes.subarray(at)]);
  }
}

function linesOf(bytes: Buffer, format: Format): Line[] {
  const lines: Line[] = [];
  let open = '';
  for (const text of bytes.toString().slice(CODECS[format].preamble.length).split('\n').slice(0, -1)) {
    open += text;
    if (format === 'csv' && csv.isOpen(open)) open += '\n';
    else {
      lines.push(CODECS[format].decode(open));
      open = '';
    }
  }
  return lines;
}

function verify(bytes: Buffer, pinned: KeyObject[]): void {
  const reader = new ExportReader(pinned);
  reader.read(bytes);
  reader.finish();
}

describe('10,000 manipulations of an export', () => {
  let env: TestEnvironment;
  let desk: AuditDesk;
  let pinned: KeyObject[];
  beforeAll(async () => {
    // Sealed by hand, for checkpoints of known sizes.
    env = await TestEnvironment.create({ AUDIT_SEAL_MS: '3600000' });
    desk = new AuditDesk(env);
    pinned = [createPublicKey(readFileSync(join(env.artifacts, 'audit-key.pem')))];
    for (const size of [1, 5, 3]) {
      await env.app.get(DataSource).transaction(async (transaction) => {
        for (let n = 0; n < size; n++)
          await desk.service.record(
            { ...desk.entry, action: n % 2 ? 'test.odd' : 'test.even', detail: { n, note: '=line\nbreak, "quote"' } },
            transaction,
          );
      });
      await desk.sealer.sealAll();
    }
  });
  afterAll(() => env.destroy());

  it.each<[Format, object | undefined, number]>([
    ['ndjson', undefined, 1],
    ['csv', undefined, 2],
    ['ndjson', { action: 'test.*' }, 3],
    ['csv', { action: 'test.even' }, 4],
  ])('are all found in %s with filter %j', async (format, filter, seed) => {
    const { bytes } = await desk.export(format, filter);
    verify(bytes, pinned);
    verify(bytes, []);
    const lines = linesOf(bytes, format);
    const codec = CODECS[format];
    expect(codec.preamble + codec.encode(lines)).toBe(bytes.toString());
    const dice = chance(seed);
    const names = Object.keys(MANIPULATIONS);
    const unnoticed: string[] = [];
    for (let done = 0; done < TIMES;) {
      const name = dice.pick([...names, 'damages bytes']);
      let changed: Buffer;
      if (name === 'damages bytes') changed = damage(bytes, dice);
      else {
        const copy = copyOf(lines);
        MANIPULATIONS[name]?.(copy, dice);
        changed = Buffer.from(codec.preamble + codec.encode(copy));
      }
      if (changed.equals(bytes)) continue;
      done++;
      try {
        verify(changed, pinned);
        unnoticed.push(name);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
      }
    }
    expect(unnoticed).toEqual([]);
  }, 120_000);

  it.each<[string, (lines: Line[], at: number) => void, string]>([
    ['changed', (lines, at) => void ((lines[at] as RowLine).row.action = 'x'), 'row 6 was changed'],
    ['missing', (lines, at) => void lines.splice(at, 1), 'row 6 is missing'],
    ['doubled', (lines, at) => void lines.splice(at, 0, lines[at] as Line), 'row 6 is doubled'],
    ['moved', (lines, at) => void ([lines[at], lines[at + 1]] = [lines[at + 1] as Line, lines[at] as Line]), 'row 6 is missing or moved'],
  ])('names the first row that is %s', async (_, manipulate, message) => {
    const lines = linesOf((await desk.export('ndjson')).bytes, 'ndjson');
    manipulate(
      lines,
      lines.findIndex((line) => line.type === 'row' && line.row.position === 6),
    );
    expect(() => verify(Buffer.from(ndjson.encode(lines)), pinned)).toThrow(message);
  });

  it('names a forked chain, a downgrade and a cut tail', async () => {
    const lines = linesOf((await desk.export('ndjson')).bytes, 'ndjson');
    const attempt = (change: (copy: Line[]) => void): (() => void) => {
      const copy = copyOf(lines);
      change(copy);
      return () => verify(Buffer.from(ndjson.encode(copy)), pinned);
    };
    const third = (copy: Line[]): CheckpointLine => of<CheckpointLine>(copy, 'checkpoint')[2] as CheckpointLine;
    expect(attempt((copy) => void (third(copy).statement.previous = 'a'.repeat(64)))).toThrow('the chain is forked');
    expect(attempt((copy) => Object.assign(third(copy).statement, { algorithm: 'HS256' }))).toThrow('is "HS256", and only "Ed25519" is accepted');
    expect(attempt((copy) => void copy.pop())).toThrow('the export is cut');
  });
});
