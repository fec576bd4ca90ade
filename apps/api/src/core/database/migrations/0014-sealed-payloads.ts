import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a command's schema marks secret, sealed and apart from its payload; the indexes tell which keys are in use. */
export class SealedPayloads1700000000014 implements MigrationInterface {
  name = 'SealedPayloads1700000000014';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE commands ADD sealed_secrets bytea;
      CREATE INDEX commands_sealed ON commands (get_byte(sealed_secrets, 0), id) WHERE sealed_secrets IS NOT NULL;
      CREATE INDEX second_factors_sealed ON second_factors (get_byte(secret, 0));
    `);
  }

  async down(): Promise<void> {
    throw new Error('Sealed secrets are never taken back: restore a backup instead');
  }
}
