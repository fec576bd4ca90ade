import { backoff } from './backoff';

describe('the wait before a reconnect', () => {
  it('doubles up to half a minute, and spreads over the upper half', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8, 50].map((failures) => backoff(failures, () => 1));
    expect(longest).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(backoff(3, () => 0)).toBe(1_000);
    for (let n = 0; n < 100; n++) {
      const wait = backoff(4);
      expect(wait).toBeGreaterThanOrEqual(2_000);
      expect(wait).toBeLessThanOrEqual(4_000);
    }
  });
});
