import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When an export changed, in PostgreSQL's order of transactions: consoles hear of it like of commands and clients. */
export class ExportNews1700000000011 implements MigrationInterface {
  name = 'ExportNews1700000000011';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE audit_exports ADD changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id();
      CREATE INDEX audit_exports_changed ON audit_exports (changed_xid);
      CREATE FUNCTION stamp_export() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.changed_xid := pg_current_xact_id();
        RETURN NEW;
      END $$;
      CREATE TRIGGER audit_exports_stamp BEFORE UPDATE ON audit_exports FOR EACH ROW EXECUTE FUNCTION stamp_export();
    `);
  }

  async down(): Promise<void> {
    throw new Error('The news of exports are never taken back: restore a backup instead');
  }
}
