import { InTurn } from './in-turn';

describe('work for clients, in turn', () => {
  const said: string[] = [];
  const ends = new Map<string, (fault?: Error) => void>();
  const turns = new InTurn();
  const begin = (name: string, ...clientIds: string[]): Promise<void> =>
    turns.during(clientIds, () => {
      said.push(name);
      return new Promise((resolve, reject) => ends.set(name, (fault) => (fault ? reject(fault) : resolve())));
    });
  const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const takeSaid = async (): Promise<string[]> => {
    await soon();
    return said.splice(0);
  };

  it('goes side by side for different clients, and one after the other for the same', async () => {
    const all = [begin('a', '1', '2'), begin('b', '3'), begin('c', '2', '3'), begin('d', '1'), begin('e', '3')];
    expect(await takeSaid()).toEqual(['a', 'b']);
    ends.get('a')?.();
    expect(await takeSaid()).toEqual(['d']);
    ends.get('b')?.();
    expect(await takeSaid()).toEqual(['c']);
    ends.get('c')?.();
    expect(await takeSaid()).toEqual(['e']);
    ends.get('d')?.();
    ends.get('e')?.();
    await Promise.all(all);
  });

  it('goes on after what fails, and tells it to its caller alone', async () => {
    const failing = begin('failing', '1');
    const next = begin('next', '1');
    await soon();
    ends.get('failing')?.(new Error('away'));
    await expect(failing).rejects.toThrow('away');
    expect(await takeSaid()).toEqual(['failing', 'next']);
    ends.get('next')?.();
    await next;
    // Nothing is left to wait for, and nothing is kept.
    const last = begin('last', '1');
    expect(await takeSaid()).toEqual(['last']);
    ends.get('last')?.();
    await last;
    expect(turns).toEqual(new InTurn());
  });
});
