import type { SealedAuditItem } from '@gwanje/contracts';
import { stringify } from 'csv-stringify/sync';
import { canonical } from './canonical';
import { checkForm, Fault, type Line, nameOf, type RowLine } from './lines';

const COLUMNS = [
  'position', 'id', 'at', 'actor_type', 'actor_id', 'actor_name', 'actor_token_id', 'address', 'action', 'target_type', 'target_id',
  'target_name', 'client_id', 'outcome', 'before', 'after', 'detail', 'request_id', 'leaf', 'proof',
] as const;
/** Spreadsheets take a cell that starts so for a formula (or swallow the first character of one). */
const RISKY = /^[=+\-@\t\r\n'＝＋－＠]/;

/**
 * A CSV export says the same lines as an NDJSON one. A row has a column for each part; any other line stands as `#<type>` in the
 * first cell and as its canonical JSON in the second. An empty cell is null. A cell that a spreadsheet could take for a formula, one that
 * starts with an apostrophe, and an empty text get an apostrophe in front: whoever strips one leading apostrophe has the value.
 */
export const csv = {
  /** A byte order mark, so that spreadsheets read UTF-8, and the names of the columns. */
  preamble: `\ufeff${COLUMNS.join(',')}\n`,

  encode(lines: Line[]): string {
    return stringify(lines.map((line) => (line.type === 'row' ? rowCells(line) : otherCells(line))), { quoted_match: /[\r\n]/ });
  },

  /** `text` without its line feed: all physical lines of one record. */
  decode(text: string): Line {
    const cells = parse(text);
    if (cells.length !== COLUMNS.length) throw new Fault(`a record has ${cells.length} cells instead of ${COLUMNS.length}`);
    const line = cells[0]?.startsWith('#') ? otherLine(cells) : rowLine(cells);
    if (csv.encode([line]) !== `${text}\n`) throw new Fault(`${nameOf(line)} is not in canonical form`);
    return line;
  },

  /** Whether a record goes on in the next physical line: inside quotes, line feeds are text. */
  isOpen(text: string): boolean {
    let quotes = 0;
    for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes++;
    return quotes % 2 === 1;
  },
};

function rowCells({ row, leaf, proof }: RowLine): string[] {
  const { actor, target } = row;
  const texts = [
    `${row.position}`, row.id, row.at, actor.type, actor.id, actor.name, actor.tokenId, row.address, row.action, target.type, target.id,
    target.name, row.clientId, row.outcome, json(row.before), json(row.after), json(row.detail), row.requestId, leaf, proof ? canonical(proof) : null,
  ];
  return texts.map((value) => (value === null ? '' : value === '' || RISKY.test(value) ? `'${value}` : value));
}

function rowLine(cells: string[]): Line {
  const values = cells.map((cell) => (cell === '' ? null : cell.startsWith("'") ? cell.slice(1) : cell));
  const [position, id, at, actorType, actorId, actorName, tokenId, address, action, targetType, targetId, targetName, clientId, outcome] = values;
  const [before, after, detail, requestId, leaf, proof] = values.slice(14);
  return checkForm({
    type: 'row',
    leaf,
    ...(typeof proof === 'string' && { proof: parseJson(proof) }),
    row: {
      id, at, position: Number(position), actor: { type: actorType, id: actorId, name: actorName, tokenId }, address, action,
      target: { type: targetType, id: targetId, name: targetName }, clientId, outcome,
      before: parseJson(before), after: parseJson(after), detail: parseJson(detail), requestId,
    } as SealedAuditItem,
  });
}

const otherCells = (line: Line): string[] => [`#${line.type}`, canonical(line), ...COLUMNS.slice(2).map(() => '')];

function otherLine([name, text]: string[]): Line {
  const line = checkForm(parseJson(text));
  if (`#${line.type}` !== name) throw new Fault(`a line of type ${line.type} is marked ${name}`);
  return line;
}

const json = (value: unknown): string | null => (value === null ? null : canonical(value));

function parseJson(text: string | null | undefined): unknown {
  if (text === null || text === undefined) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault(`a cell is not JSON: ${text.slice(0, 40)}`);
  }
}

function parse(record: string): string[] {
  const cells: string[] = [];
  for (let at = 0; at <= record.length; ) {
    let cell = '';
    if (record[at] === '"') {
      for (at++; at < record.length; at++) {
        const quote = record.indexOf('"', at);
        if (quote === -1) throw new Fault('a quoted cell does not end');
        cell += record.slice(at, quote);
        at = quote + 1;
        if (record[at] !== '"') break;
        cell += '"';
      }
      if (at < record.length && record[at] !== ',') throw new Fault('a quoted cell goes on after its end');
    } else {
      const comma = record.indexOf(',', at);
      const end = comma === -1 ? record.length : comma;
      cell = record.slice(at, end);
      at = end;
    }
    cells.push(cell);
    at++;
  }
  return cells;
}
