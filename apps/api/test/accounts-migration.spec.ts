import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from '../src/core/database/owner';

const SUPERUSER = process.env['TEST_DATABASE_URL'] ?? '';

/** Accounts and names as earlier versions let them stand. */
describe('the update to one key an account', () => {
  const name = `spellings_${randomUUID().replaceAll('-', '')}`;
  const admin = new DataSource({ type: 'postgres', url: SUPERUSER });
  const before = new DataSource({ type: 'postgres', url: SUPERUSER.replace(/\/[^/]*$/, `/${name}`), migrations: MIGRATIONS.slice(0, 5) });
  const after = new DataSource({ type: 'postgres', url: SUPERUSER.replace(/\/[^/]*$/, `/${name}`), migrations: MIGRATIONS });
  beforeAll(async () => {
    await admin.initialize();
    await admin.query(`CREATE DATABASE ${name}`);
    await before.initialize();
    await before.runMigrations();
    await after.initialize();
  });
  afterAll(async () => {
    await Promise.all([before.destroy(), after.destroy()]);
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.destroy();
  });

  it('stops and names accounts that are one and the same, and brings all names to one form once they are not', async () => {
    const [composed, decomposed] = ['é', 'é'.normalize('NFD')];
    const user = (email: string): Promise<unknown> => before.query(`INSERT INTO users (id, email, name) VALUES ($1, $2, $3)`, [randomUUID(), email, decomposed]);
    await user(`${composed}@example.com`);
    await user(`${decomposed}@example.com`);
    await user(`${decomposed}-2@example.com`);
    const client = (called: string): Promise<unknown> =>
      before.query('INSERT INTO clients (id, name, groups) VALUES ($1, $2, $3)', [randomUUID(), called, [decomposed, composed, 'b']]);
    await client(`till-${decomposed}`);
    await client(`twin-${decomposed}`);
    await client(`twin-${composed}`);

    await expect(after.runMigrations({ transaction: 'each' })).rejects.toThrow(/one and the same.*@example\.com, .*@example\.com/);
    await before.query('DELETE FROM users WHERE email = $1', [`${decomposed}@example.com`]);
    await after.runMigrations({ transaction: 'each' });

    const column = async (sql: string): Promise<unknown[]> => (await after.query<{ v: unknown }[]>(sql)).map(({ v }) => v);
    expect(await column('SELECT email AS v FROM users ORDER BY length(email)')).toEqual([`${composed}@example.com`, `${composed}-2@example.com`]);
    expect(await column('SELECT name AS v FROM users')).toEqual([composed, composed]);
    expect((await column('SELECT name AS v FROM clients')).sort()).toEqual([`till-${composed}`, `twin-${composed}`, `twin-${decomposed}`].sort());
    expect(await column('SELECT DISTINCT groups AS v FROM clients')).toEqual([['b', composed]]);
  });
});
