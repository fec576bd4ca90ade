import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The latest session that a client's agent asked for, and since when it is known: an older request that arrives late judges nothing. */
export class SessionOrdinals1700000000010 implements MigrationInterface {
  name = 'SessionOrdinals1700000000010';

  async up(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE clients ADD session_journal uuid, ADD session_number bigint, ADD session_at timestamptz');
  }

  async down(): Promise<void> {
    throw new Error('What tells sessions apart is never taken back: restore a backup instead');
  }
}
