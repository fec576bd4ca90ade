import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When an alert or a delivery changed, in PostgreSQL's order of transactions: consoles hear of it like of commands and clients. */
export class AlertNews1700000000015 implements MigrationInterface {
  name = 'AlertNews1700000000015';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE FUNCTION stamp_alert_news() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.changed_xid := pg_current_xact_id();
        RETURN NEW;
      END $$;
      ALTER TABLE alerts ADD changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id();
      CREATE INDEX alerts_changed ON alerts (changed_xid);
      CREATE TRIGGER alerts_stamp BEFORE UPDATE ON alerts FOR EACH ROW EXECUTE FUNCTION stamp_alert_news();
      ALTER TABLE alert_deliveries ADD changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id();
      CREATE INDEX alert_deliveries_changed ON alert_deliveries (changed_xid);
      CREATE TRIGGER alert_deliveries_stamp BEFORE UPDATE ON alert_deliveries FOR EACH ROW EXECUTE FUNCTION stamp_alert_news();
    `);
  }

  async down(): Promise<void> {
    throw new Error('The news of alerts are never taken back: restore a backup instead');
  }
}
