import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A delivery tells of one alert or of many: `alert_delivery_items` says of which, and that none is told twice to one channel. Until
 * `gathers_until` a delivery of a rule takes up more; what it has at its first try is what it tells.
 */
export class AlertDigests1700000000016 implements MigrationInterface {
  name = 'AlertDigests1700000000016';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE alert_delivery_items (
        alert_id uuid NOT NULL REFERENCES alerts ON DELETE CASCADE,
        channel_id uuid NOT NULL,
        news text NOT NULL CHECK (news IN ('firing', 'resolved')),
        delivery_id uuid NOT NULL REFERENCES alert_deliveries ON DELETE CASCADE,
        PRIMARY KEY (alert_id, channel_id, news)
      );
      INSERT INTO alert_delivery_items SELECT alert_id, channel_id, news, id FROM alert_deliveries WHERE alert_id IS NOT NULL;
      CREATE INDEX alert_delivery_items_delivery ON alert_delivery_items (delivery_id, alert_id);
      ALTER TABLE alert_deliveries ADD rule_id uuid, ADD gathers_until timestamptz NOT NULL DEFAULT now();
      UPDATE alert_deliveries d SET rule_id = a.rule_id, gathers_until = d.created_at FROM alerts a WHERE a.id = d.alert_id;
      ALTER TABLE alert_deliveries DROP COLUMN alert_id CASCADE;
      ALTER TABLE alert_deliveries ADD CHECK (news IN ('firing', 'resolved', 'test'));
      CREATE INDEX alert_deliveries_gather ON alert_deliveries (rule_id, channel_id, gathers_until);
      DROP INDEX alert_deliveries_tests;
      CREATE INDEX alert_deliveries_created ON alert_deliveries (created_at);
    `);
  }

  async down(): Promise<void> {
    throw new Error('What alerts have told is never taken back: restore a backup instead');
  }
}
