import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where the trace of a command goes on (W3C `traceparent`), whichever process takes it up next. */
export class Traces1700000000013 implements MigrationInterface {
  name = 'Traces1700000000013';

  async up(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE commands ADD traceparent text');
  }

  async down(): Promise<void> {
    throw new Error('The traces of commands are never taken back: restore a backup instead');
  }
}
