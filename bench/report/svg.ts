import { type Curve, percentile } from './figures';

const WIDTH = 960;
const HEIGHT = 540;
const BOX = { left: 70, right: 30, top: 50, bottom: 60 };
const COLOURS = ['#1f6feb', '#d1242f', '#1a7f37', '#9a6700', '#8250df', '#57606a', '#bf3989', '#0a7ea4'];
/** Where the axis of percentiles has its marks; it is logarithmic in what is left above. */
const MARKS = [0, 0.5, 0.9, 0.99, 0.999, 0.9999];

/** A picture of latency distributions: ms, on a log axis, over the percentile. It needs nothing from elsewhere. */
export function percentilePicture(title: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ samples }) => samples).filter((sample) => sample > 0);
  const decades = [Math.floor(Math.log10(least(all))), Math.ceil(Math.log10(most(all)))] as const;
  const nines = Math.log10(Math.max(10, ...curves.map(({ samples }) => samples.length)));
  const x = (share: number): number =>
    BOX.left + ((WIDTH - BOX.left - BOX.right) * Math.min(-Math.log10(1 - share), nines)) / nines;
  const y = (ms: number): number =>
    HEIGHT -
    BOX.bottom -
    ((HEIGHT - BOX.top - BOX.bottom) * (Math.log10(Math.max(ms, 10 ** decades[0])) - decades[0])) /
      Math.max(1, decades[1] - decades[0]);

  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${BOX.left}" y="28" font-size="17" fill="#1f2328">${escape(title)}</text>`,
  ];
  for (const share of MARKS.filter((mark) => -Math.log10(1 - mark) <= nines)) {
    parts.push(
      line(x(share), BOX.top, x(share), HEIGHT - BOX.bottom),
      text(x(share), HEIGHT - BOX.bottom + 20, `${+(share * 100).toFixed(2)} %`, 'middle'),
    );
  }
  for (let decade = decades[0]; decade <= decades[1]; decade++) {
    for (const step of decade === decades[1] ? [1] : [1, 2, 5]) {
      const ms = step * 10 ** decade;
      parts.push(
        line(BOX.left, y(ms), WIDTH - BOX.right, y(ms)),
        text(BOX.left - 8, y(ms) + 4, `${+ms.toPrecision(1)} ms`, 'end'),
      );
    }
  }
  parts.push(text(WIDTH / 2, HEIGHT - 14, 'share of the commands that were at least this fast', 'middle'));
  curves.forEach(({ name, samples }, index) => {
    const colour = COLOURS[index % COLOURS.length] ?? '';
    const points = sharesOf(samples.length).map(
      (share) => `${x(share).toFixed(1)},${y(percentile(samples, share)).toFixed(1)}`,
    );
    parts.push(`<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.join(' ')}"/>`);
    const legend = `${name} (p50 ${percentile(samples, 0.5).toFixed(1)}, p99 ${percentile(samples, 0.99).toFixed(1)} ms, ${samples.length})`;
    parts.push(`<rect x="${BOX.left + 14}" y="${BOX.top + 10 + index * 19}" width="18" height="4" fill="${colour}"/>`);
    parts.push(text(BOX.left + 40, BOX.top + 17 + index * 19, legend, 'start'));
  });
  return [...parts, '</svg>', ''].join('\n');
}

/** Evenly along the axis, as far as so many samples reach. */
function sharesOf(count: number): number[] {
  const nines = Math.log10(Math.max(10, count));
  return Array.from({ length: 121 }, (_, n) => 1 - 10 ** ((-nines * n) / 120));
}

const least = (values: number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values: number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
const line = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#d1d9e0"/>`;
const text = (x: number, y: number, words: string, anchor: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#59636e">${escape(words)}</text>`;
const escape = (words: string): string => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
