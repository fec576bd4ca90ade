import { type Figure, passes } from './figures';

const UNITS: Record<Figure['unit'], string> = {
  ms: ' ms',
  s: ' s',
  '/s': ' /s',
  '%': ' %',
  KiB: ' KiB',
  '×': ' ×',
  '': '',
};

/** One line a figure: its name, its value, its bound and whether it holds, a note. */
export function table(scenarios: readonly { name: string; figures: readonly Figure[] }[]): string {
  const rows = scenarios.flatMap(({ name, figures }) => [
    [`— ${name} —`, '', '', '', ''],
    ...figures.map((figure) => [figure.name, valueOf(figure), boundOf(figure), verdictOf(figure), figure.note ?? '']),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([name = '', value = '', bound = '', verdict = '', note = '']) =>
      [
        name.padEnd(widths[0] ?? 0),
        value.padStart(widths[1] ?? 0),
        bound.padEnd(widths[2] ?? 0),
        verdict.padEnd(widths[3] ?? 0),
        note,
      ]
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function valueOf({ value, unit }: Figure): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return (
    (Number.isNaN(value)
      ? 'never'
      : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })) + UNITS[unit]
  );
}

function boundOf({ bound, unit }: Figure): string {
  if (!bound) return '';
  const [sign, value] = 'atMost' in bound ? ['≤', bound.atMost] : ['≥', bound.atLeast];
  return `${sign} ${value.toLocaleString('en')}${UNITS[unit]}`;
}

function verdictOf(figure: Figure): string {
  const passed = passes(figure);
  return passed === undefined ? '' : passed ? 'pass' : 'FAIL';
}
