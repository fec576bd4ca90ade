import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lets a statement that travels together with its COMMIT say that nothing is to be committed. */
export class RefusalsInTheDatabase1700000000018 implements MigrationInterface {
  name = 'RefusalsInTheDatabase1700000000018';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE FUNCTION refuse(what text) RETURNS text LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION USING ERRCODE = 'GW001', MESSAGE = what;
      END $$;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP FUNCTION refuse(text)');
  }
}
