import { HotDatabase } from '../src/core/database/hot-database';
import { OpenSockets } from '../src/core/database/open-sockets';
import { createDatabase, dropDatabase, query } from './support/environment';

describe('statements that travel together', () => {
  let url: string;
  let hot: HotDatabase;
  beforeAll(async () => {
    url = await createDatabase();
    await query(url, 'CREATE TABLE kept (n integer)');
    hot = new HotDatabase(url, new OpenSockets(), { max: 1, connectMs: 5_000, queryMs: 5_000 });
  });
  afterAll(async () => {
    await hot.onApplicationShutdown();
    await dropDatabase(url);
  });

  const keep = (n: number): { text: string; values: number[] } => ({ text: 'INSERT INTO kept VALUES ($1) RETURNING n', values: [n] });
  const FAULTY = { text: 'SELECT 1 / (count(*) - count(*)) FROM kept', values: [] };
  const kept = (): Promise<{ n: number }[]> => query(url, 'SELECT n FROM kept ORDER BY n');

  it('are one transaction, and each is answered', async () => {
    const answers = await hot.together([keep(1), null, { text: 'SELECT txid_current() AS id', values: [] }, { text: 'SELECT txid_current() AS id', values: [] }]);
    expect(answers.slice(0, 2)).toEqual([[{ n: 1 }], []]);
    expect(answers[2]).toEqual(answers[3]);
    expect(await kept()).toEqual([{ n: 1 }]);
  });

  it('are undone by one that fails, whose fault it is, and the connection goes on', async () => {
    for (const all of [[FAULTY, keep(2)], [keep(2), FAULTY], [keep(2), FAULTY, keep(3)]]) {
      await expect(hot.together(all)).rejects.toThrow('division by zero');
    }
    const blamed = { ...FAULTY, blame: (fault: Error) => new Error(`not counted: ${fault.message}`) };
    await expect(hot.together([keep(2), blamed, FAULTY])).rejects.toThrow('not counted: division by zero');
    await hot.together([keep(4)]);
    expect(await kept()).toEqual([{ n: 1 }, { n: 4 }]);
  });

  it('are known to the connection afterwards as far as they were parsed, whichever of them failed', async () => {
    const first = { text: 'SELECT $1::integer + 10 AS n', values: [1] };
    const faulty = { text: 'SELECT $1::integer / 0 AS n', values: [1] };
    const skipped = { text: 'SELECT $1::integer + 30 AS n', values: [1] };
    await expect(hot.together([first, faulty, skipped])).rejects.toThrow('division by zero');
    await expect(hot.together([{ ...skipped, values: ['no number'] }])).rejects.toThrow('invalid input syntax');
    for (let time = 0; time < 2; time++) {
      expect(await hot.together([skipped, first, { ...first, values: [2] }])).toEqual([[{ n: 31 }], [{ n: 11 }], [{ n: 12 }]]);
      await expect(hot.together([faulty])).rejects.toThrow('division by zero');
    }
    await expect(hot.query('SELECT no_such_column')).rejects.toThrow('does not exist');
    expect(await hot.query('SELECT 1 AS one WHERE $1', [false])).toEqual([]);
    expect(await hot.query('SELECT NULL AS nothing, ARRAY[1, 2] AS two, now() AS at')).toEqual([{ nothing: null, two: [1, 2], at: expect.any(Date) as Date }]);
  });

  it('have failed when one can only be refused at the end', async () => {
    await query(url, 'CREATE TABLE late (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)');
    const add = { text: 'INSERT INTO late VALUES (1)', values: [] };
    await expect(hot.together([add, add])).rejects.toThrow('duplicate key');
    expect(await query(url, 'SELECT n FROM late')).toEqual([]);
    await hot.together([add]);
    expect(await query(url, 'SELECT n FROM late')).toEqual([{ n: 1 }]);
  });
});
