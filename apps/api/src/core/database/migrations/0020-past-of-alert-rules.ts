import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `past`: what a rule could see when it was made is no news to it. `told_below` alone says less: it stays below the oldest transaction
 * that was open then, and so below some that had ended.
 */
export class PastOfAlertRules1700000000020 implements MigrationInterface {
  name = 'PastOfAlertRules1700000000020';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE alert_rules ADD past pg_snapshot NOT NULL DEFAULT pg_current_snapshot();
      UPDATE alert_rules SET past = format('%s:%s:', told_below, told_below)::pg_snapshot;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE alert_rules DROP past');
  }
}
