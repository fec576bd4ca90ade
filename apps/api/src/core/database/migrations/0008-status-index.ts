import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The index by which commands of one status are listed gets a collation of its own: whoever means it says so. While a claim is planned few
 * commands may be known to wait, and this index would then look cheaper than the client's own queue, and read the queues of all.
 */
export class StatusIndex1700000000008 implements MigrationInterface {
  name = 'StatusIndex1700000000008';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP INDEX commands_by_status;
      CREATE INDEX commands_by_status ON commands (status COLLATE "C", id DESC);
    `);
  }

  async down(): Promise<void> {
    throw new Error('The status index is never taken back: restore a backup instead');
  }
}
