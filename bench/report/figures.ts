/** How far a figure may go. */
export type Bound = { atMost: number } | { atLeast: number };

export interface Figure {
  name: string;
  value: number;
  unit: 'ms' | 's' | '/s' | '%' | 'KiB' | '×' | '';
  bound?: Bound;
  /** Beside it in the table: a ratio to a limit, a number of samples. */
  note?: string;
}

/** A distribution for the picture: sorted or not, in ms. */
export interface Curve {
  name: string;
  samples: number[];
}

export const passes = ({ value, bound }: Figure): boolean | undefined =>
  bound && ('atMost' in bound ? value <= bound.atMost : value >= bound.atLeast);

/** The smallest sample that `share` (0 to 1) of all samples do not exceed; NaN of none. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** p50, p95 and p99 in ms, with bounds where there are some. */
export function latencyFigures(name: string, samples: number[], bounds: { p50?: number; p99?: number } = {}): Figure[] {
  const figure = (label: string, share: number, atMost?: number): Figure => ({
    name: `${name}, ${label}`,
    value: percentile(samples, share),
    unit: 'ms',
    ...(atMost !== undefined && { bound: { atMost } }),
  });
  const [p50, p95, p99] = [figure('p50', 0.5, bounds.p50), figure('p95', 0.95), figure('p99', 0.99, bounds.p99)];
  return [{ ...p50, note: `${samples.length} samples` }, p95, p99] as Figure[];
}

/** CPU of the server for each command, what the others use for it, and how many a second all of it allows on so many cores. */
export function costFigure(name: string, cost: Record<string, number>, cores: number): Figure {
  const [[, server = NaN] = [], ...others] = Object.entries(cost);
  const sum = others.reduce((total, [, ms]) => total + ms, server);
  const rest = others.map(([who, ms]) => `${who} ${ms.toFixed(2)}`).join(', ');
  return {
    name,
    value: server,
    unit: 'ms',
    note: `${rest}; ${cores} cores are full at ${Math.round((1000 * cores) / sum)} /s`,
  };
}
