import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The index by which commands of one phase are listed has a collation of its own, and the column that of the database: whoever means that index says
 * so. While few commands are known to wait, it would look cheaper to a claim than each client's own queue, and read the queues of all.
 */
export class PhaseCollation1700000000023 implements MigrationInterface {
  name = 'PhaseCollation1700000000023';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP INDEX commands_by_phase;
      ALTER TABLE commands ALTER phase TYPE text COLLATE "default";
      CREATE INDEX commands_by_phase ON commands (phase COLLATE "C", id);
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP INDEX commands_by_phase;
      ALTER TABLE commands ALTER phase TYPE text COLLATE "C";
      CREATE INDEX commands_by_phase ON commands (phase, id);
    `);
  }
}
