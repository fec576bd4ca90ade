import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Alerts: rules, channels, what fired, and its deliveries. `told_below` is the point in PostgreSQL's order of transactions below which a
 * rule has seen the history of commands; `clients.offline_since` is kept by a trigger, whoever it is that finds a client gone.
 */
export class Alerts1700000000012 implements MigrationInterface {
  name = 'Alerts1700000000012';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE clients ADD offline_since timestamptz;
      -- The server itself stood still for the upgrade: nobody is gone for longer than that.
      UPDATE clients SET offline_since = now() WHERE status = 'offline' AND last_seen_at IS NOT NULL;
      CREATE FUNCTION note_offline_client() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.offline_since := CASE NEW.status WHEN 'offline' THEN now() END;
        RETURN NEW;
      END $$;
      CREATE TRIGGER clients_offline BEFORE UPDATE OF status ON clients
        FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION note_offline_client();

      CREATE TABLE alert_rules (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        enabled boolean NOT NULL,
        condition jsonb NOT NULL,
        channels uuid[] NOT NULL,
        told_below xid8 NOT NULL DEFAULT pg_snapshot_xmin(pg_current_snapshot()),
        judged_at timestamptz NOT NULL DEFAULT '-infinity',
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE alert_channels (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        kind text NOT NULL CHECK (kind IN ('webhook', 'email')),
        url text CHECK ((url IS NOT NULL) = (kind = 'webhook')),
        addresses text[] CHECK ((addresses IS NOT NULL) = (kind = 'email')),
        secret bytea CHECK ((secret IS NOT NULL) = (kind = 'webhook')),
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE alerts (
        id uuid PRIMARY KEY DEFAULT uuid_by_time(),
        rule_id uuid REFERENCES alert_rules ON DELETE SET NULL,
        rule_name text NOT NULL,
        kind text NOT NULL,
        subject_type text NOT NULL,
        subject_id uuid NOT NULL,
        subject_name text NOT NULL,
        client_id uuid,
        attempt integer,
        detail jsonb NOT NULL,
        fired_at timestamptz NOT NULL DEFAULT now(),
        resolved_at timestamptz
      );
      CREATE UNIQUE INDEX alerts_open ON alerts (rule_id, subject_id) WHERE resolved_at IS NULL;
      CREATE UNIQUE INDEX alerts_failure ON alerts (rule_id, subject_id, attempt) WHERE attempt IS NOT NULL;
      CREATE INDEX alerts_rule ON alerts (rule_id, id DESC);
      CREATE INDEX alerts_resolved ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;
      CREATE TABLE alert_deliveries (
        id uuid PRIMARY KEY DEFAULT uuid_by_time(),
        alert_id uuid REFERENCES alerts ON DELETE CASCADE,
        channel_id uuid NOT NULL REFERENCES alert_channels ON DELETE CASCADE,
        news text NOT NULL CHECK (news IN ('firing', 'resolved', 'test') AND (news = 'test') = (alert_id IS NULL)),
        state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
        attempts integer NOT NULL DEFAULT 0,
        attempts_allowed integer NOT NULL,
        last_error text,
        created_at timestamptz NOT NULL DEFAULT now(),
        due_at timestamptz NOT NULL DEFAULT now(),
        delivered_at timestamptz,
        UNIQUE (alert_id, channel_id, news)
      );
      CREATE INDEX alert_deliveries_due ON alert_deliveries (due_at) WHERE state = 'pending';
      CREATE INDEX alert_deliveries_channel ON alert_deliveries (channel_id, id DESC);
      CREATE INDEX alert_deliveries_tests ON alert_deliveries (due_at) WHERE news = 'test' AND state <> 'pending';
      -- What ended in each minute, for the rules that look at a rate.
      CREATE TABLE alert_tallies (
        rule_id uuid NOT NULL REFERENCES alert_rules ON DELETE CASCADE,
        minute timestamptz NOT NULL,
        ended integer NOT NULL,
        failed integer NOT NULL,
        PRIMARY KEY (rule_id, minute)
      );

      UPDATE roles SET permissions = permissions || '{alerts.read,alerts.manage}' WHERE name = 'admin' AND NOT permissions @> '{alerts.read}';
    `);
  }

  async down(): Promise<void> {
    throw new Error('What alerts have told is never taken back: restore a backup instead');
  }
}
