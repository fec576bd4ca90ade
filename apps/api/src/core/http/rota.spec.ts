import { Rota } from './rota';

describe('Rota', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('calls each member once in every period, and no more of them in one turn than it must', () => {
    const rota = new Rota(1_000);
    const calls = new Map<number, number[]>();
    for (let member = 0; member < 20; member++) rota.join({ beat: () => calls.set(member, [...(calls.get(member) ?? []), performance.now()]) });
    const began = performance.now();
    jest.advanceTimersByTime(3_000);
    expect([...calls.values()].map((times) => times.length)).toEqual(Array(20).fill(3));
    for (const [first = 0, second = 0, third = 0] of calls.values()) {
      expect(first - began).toBeLessThanOrEqual(1_000);
      expect([second - first, third - second]).toEqual([1_000, 1_000]);
    }
    const firsts = [...calls.values()].map(([first]) => first);
    for (const turn of new Set(firsts)) expect(firsts.filter((first) => first === turn)).toHaveLength(2);
  });

  it('makes up for turns that came late, and calls nobody twice after a long sleep', () => {
    const clock = jest.spyOn(performance, 'now');
    const at = (ms: number): unknown => clock.mockReturnValue(ms);
    at(0);
    const rota = new Rota(1_000);
    const called: number[] = [];
    for (let member = 0; member < 10; member++) rota.join({ beat: () => called.push(member) });
    at(450);
    jest.advanceTimersByTime(100);
    expect(called).toEqual([0, 1, 2, 3]);
    at(60_000);
    jest.advanceTimersByTime(100);
    expect(called.slice(4).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    clock.mockRestore();
  });

  it('forgets who leaves, and keeps no timer for nobody', () => {
    const rota = new Rota(1_000);
    const left = { beat: jest.fn() };
    const stays = { beat: jest.fn() };
    rota.join(left);
    rota.join(stays);
    rota.leave(left);
    rota.leave(left);
    jest.advanceTimersByTime(1_000);
    expect(left.beat).not.toHaveBeenCalled();
    expect(stays.beat).toHaveBeenCalledTimes(1);
    rota.leave(stays);
    expect(jest.getTimerCount()).toBe(0);
    rota.join(stays);
    jest.advanceTimersByTime(1_000);
    expect(stays.beat).toHaveBeenCalledTimes(2);
  });
});
