import { GroupCommit } from '../core/database/group-commit';
import { RightOfWay } from './right-of-way';

describe('the right of way of an emergency', () => {
  let end!: () => void;
  const emergency = (): Promise<void> => new Promise((resolve) => (end = resolve));

  it('holds nobody up when there is none', async () => {
    await new RightOfWay().clear();
  });

  it('lets other work wait until the last emergency is out, and does all of it then', async () => {
    const rightOfWay = new RightOfWay();
    const groups: number[][] = [];
    const commits = new GroupCommit<number, number>(
      (items) => Promise.resolve((groups.push(items), items)),
      () => rightOfWay.clear(),
    );
    const first = rightOfWay.during(emergency);
    const endFirst = end;
    const answers = Promise.all([commits.add(1), commits.add(2)]);
    const second = rightOfWay.during(emergency);
    endFirst();
    await first;
    await new Promise(setImmediate);
    const late = commits.add(3);
    expect(groups).toEqual([]);
    end();
    await second;
    expect([await answers, await late]).toEqual([[1, 2], 3]);
    expect(groups).toEqual([[1, 2, 3]]);
  });

  it('holds nobody up for ever, and ends with an emergency that fails', async () => {
    const rightOfWay = new RightOfWay();
    const stuck = rightOfWay.during(emergency);
    await rightOfWay.clear();
    end();
    await stuck;
    await expect(rightOfWay.during(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    await rightOfWay.clear();
  });
});
