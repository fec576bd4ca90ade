import { type Figure, passes, percentile } from './figures';
import { percentilePicture } from './svg';
import { table } from './table';

describe('the report of the benchmark', () => {
  it('takes percentiles by nearest rank, whatever the order', () => {
    const samples = Array.from({ length: 200 }, (_, n) => 200 - n);
    expect([0, 0.5, 0.95, 0.99, 1].map((share) => percentile(samples, share))).toEqual([1, 100, 190, 198, 200]);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it('says of each bound whether it holds, and never that a figure that is not there does', () => {
    const figure = (value: number, bound: Figure['bound']): Figure => ({ name: 'f', value, unit: 'ms', bound });
    expect(passes(figure(3, { atMost: 3 }))).toBe(true);
    expect(passes(figure(3.1, { atMost: 3 }))).toBe(false);
    expect(passes(figure(3, { atLeast: 4 }))).toBe(false);
    expect(passes(figure(NaN, { atMost: 3 }))).toBe(false);
    expect(passes(figure(NaN, { atLeast: 3 }))).toBe(false);
    expect(passes({ name: 'f', value: 3, unit: 'ms' })).toBeUndefined();
  });

  it('prints one line a figure, with the bound beside the value', () => {
    const figures: Figure[] = [
      { name: 'p50', value: 2.345, unit: 'ms', bound: { atMost: 3 } },
      { name: 'rate', value: 2799, unit: '/s', bound: { atLeast: 2800 }, note: 'a note' },
    ];
    expect(table([{ name: 'some', figures }]).split('\n')).toEqual([
      '— some —',
      'p50        2.35 ms  ≤ 3 ms      pass',
      'rate      2,799 /s  ≥ 2,800 /s  FAIL  a note',
    ]);
  });

  it('draws every curve within the picture', () => {
    const samples = Array.from({ length: 1000 }, (_, n) => 0.5 + n / 10);
    const svg = percentilePicture('a < b', [
      { name: 'one', samples },
      { name: 'two', samples: [3] },
    ]);
    expect(svg).toContain('a &lt; b');
    const lines = [...svg.matchAll(/points="([^"]+)"/g)].map(([, points = '']) =>
      points.split(' ').map((point) => point.split(',').map(Number)),
    );
    expect(lines).toHaveLength(2);
    for (const [x = NaN, y = NaN] of lines.flat())
      expect({ x, y, within: x >= 0 && x <= 960 && y >= 0 && y <= 540 }).toMatchObject({ within: true });
  });
});
