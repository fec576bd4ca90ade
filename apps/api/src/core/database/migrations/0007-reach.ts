import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A client's newest commands of the actions that somebody may see are found in the index alone. */
export class Reach1700000000007 implements MigrationInterface {
  name = 'Reach1700000000007';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE INDEX commands_by_client_with_action ON commands (client_id, id DESC) INCLUDE (action);
      DROP INDEX commands_by_client;
      ALTER INDEX commands_by_client_with_action RENAME TO commands_by_client;
    `);
  }

  async down(): Promise<void> {
    throw new Error('The index is never taken back: restore a backup instead');
  }
}
