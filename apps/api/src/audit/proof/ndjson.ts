import { canonical } from './canonical';
import { checkForm, Fault, type Line, nameOf } from './lines';

/** A line of an NDJSON export is the canonical JSON of what it says; a row's value is, byte for byte, what was sealed. */
export const ndjson = {
  preamble: '',

  encode(lines: Line[]): string {
    return lines.map((line) => `${canonical(line)}\n`).join('');
  },

  /** `text` without its line feed. */
  decode(text: string): Line {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new Fault('a line is not JSON');
    }
    const line = checkForm(value);
    if (canonical(line) !== text) throw new Fault(`${nameOf(line)} is not in canonical form`);
    return line;
  },
};
