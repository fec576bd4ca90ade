import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What each gateway is, so that people can see it; and the permissions over the system itself, which admins have. */
export class Operations1700000000009 implements MigrationInterface {
  name = 'Operations1700000000009';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE gateways ADD host text, ADD pid integer, ADD version text, ADD streams integer NOT NULL DEFAULT 0,
        ADD started_at timestamptz NOT NULL DEFAULT now();
      UPDATE roles SET permissions = permissions || '{system.read,system.manage}' WHERE name = 'admin' AND NOT permissions @> '{system.read}';
    `);
  }

  async down(): Promise<void> {
    throw new Error('What gateways are is never taken back: restore a backup instead');
  }
}
