/** One thing that was promised, and what was seen of it. */
export interface Figure {
  name: string;
  /** Milliseconds; `p` of all samples must be within. */
  bound: { p: 99 | 100; ms: number } | null;
  /** Milliseconds, one for each time that it was tried. */
  samples: readonly number[];
  note?: string;
}

/** Of the samples, the least that `p` percent do not exceed; NaN of none. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil((p / 100) * sorted.length) - 1))] ?? NaN;
}

/** What was not seen at all is not within its bound either. */
export const isWithin = ({ bound, samples }: Figure): boolean => !bound || percentile(samples, bound.p) <= bound.ms;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** As a table of Markdown. */
export function describeFigures(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, bound, samples, note = '' } = figure;
    const seen = [50, 99, 100].map((p) => seconds(percentile(samples, p)));
    const promised = bound ? `${bound.p === 99 ? 'p99' : 'each'} ≤ ${bound.ms / 1000} s` : '';
    const verdict = bound ? (isWithin(figure) ? 'yes' : '**NO**') : '';
    return [name, promised, ...seen, `${samples.length}`, verdict, note];
  });
  const head = ['', 'bound', 'p50', 'p99', 'most', 'samples', 'within', ''];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
