import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Seals, checkpoints and exports of the audit log. The triggers hold for everybody, the owner included: audit rows, seals,
 * checkpoints and keys are never changed; a row leaves only after `audit_retentions` has said so for good.
 */
export class AuditSeals1700000000003 implements MigrationInterface {
  name = 'AuditSeals1700000000003';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE audit_log ADD actor_name text, ADD target_name text;
      UPDATE audit_log a SET actor_name = u.email FROM users u WHERE a.actor_type = 'user' AND u.id = a.actor_id;
      UPDATE audit_log a SET actor_name = c.name FROM clients c WHERE a.actor_type = 'agent' AND c.id = a.actor_id;
      DROP INDEX audit_log_target;
      CREATE INDEX audit_log_at ON audit_log (at DESC, id DESC);
      CREATE INDEX audit_log_actor ON audit_log (actor_id, at DESC, id DESC);
      CREATE INDEX audit_log_actor_name ON audit_log (lower(actor_name), at DESC, id DESC);
      CREATE INDEX audit_log_action ON audit_log (action COLLATE "C", at DESC, id DESC);
      CREATE INDEX audit_log_target ON audit_log (target_id, at DESC, id DESC);
      CREATE INDEX audit_log_client ON audit_log (client_id, at DESC, id DESC);
      CREATE INDEX audit_log_refused ON audit_log (at DESC, id DESC) WHERE outcome = 'refused';

      CREATE TABLE audit_keys (
        id text PRIMARY KEY,
        public_key text NOT NULL,
        vouched jsonb,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      );
      CREATE TABLE audit_checkpoints (
        number bigint PRIMARY KEY,
        first bigint NOT NULL UNIQUE,
        last bigint NOT NULL UNIQUE,
        count integer NOT NULL CHECK (count > 0 AND count = last - first + 1),
        root text NOT NULL,
        previous text NOT NULL,
        sealed_at timestamptz NOT NULL,
        version integer NOT NULL,
        algorithm text NOT NULL,
        hash text NOT NULL,
        key_id text NOT NULL REFERENCES audit_keys,
        signature text NOT NULL
      );
      CREATE INDEX audit_checkpoints_sealed_at ON audit_checkpoints (sealed_at);
      CREATE TABLE audit_seals (position bigint PRIMARY KEY, audit_id uuid NOT NULL UNIQUE, leaf bytea NOT NULL);
      CREATE TABLE audit_retentions (
        last_checkpoint bigint PRIMARY KEY,
        last_position bigint NOT NULL,
        audit_id uuid NOT NULL
      );
      CREATE TABLE audit_policy (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), retention_days double precision NOT NULL);
      INSERT INTO audit_policy (retention_days) VALUES (0);

      -- Which rows wait for their seal. Filled with the row, so that a late commit is found whenever it comes; emptied by the seal.
      CREATE TABLE audit_unsealed (id uuid PRIMARY KEY, at timestamptz NOT NULL);
      INSERT INTO audit_unsealed SELECT id, at FROM audit_log;
      CREATE FUNCTION audit_enqueue() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
      BEGIN
        INSERT INTO audit_unsealed VALUES (NEW.id, NEW.at);
        RETURN NULL;
      END $$;
      CREATE TRIGGER audit_log_enqueue AFTER INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_enqueue();
      CREATE FUNCTION audit_dequeue() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
      BEGIN
        DELETE FROM audit_unsealed u USING sealed WHERE u.id = sealed.audit_id;
        RETURN NULL;
      END $$;
      CREATE TRIGGER audit_seals_dequeue AFTER INSERT ON audit_seals
        REFERENCING NEW TABLE AS sealed FOR EACH STATEMENT EXECUTE FUNCTION audit_dequeue();

      CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '42501';
      END $$;
      CREATE FUNCTION audit_refuse_unless_dropped() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
      DECLARE
        dropped bigint := (SELECT max(last_position) FROM audit_retentions);
        sealed bigint;
      BEGIN
        IF TG_TABLE_NAME = 'audit_seals' THEN
          sealed := OLD.position;
        ELSE
          sealed := (SELECT s.position FROM audit_seals s WHERE s.audit_id = OLD.id);
        END IF;
        IF sealed IS NULL OR dropped IS NULL OR sealed > dropped THEN
          RAISE EXCEPTION '% is append-only: DELETE refused', TG_TABLE_NAME USING ERRCODE = '42501';
        END IF;
        RETURN OLD;
      END $$;
      CREATE FUNCTION audit_refuse_unless_sealed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
      BEGIN
        IF NOT EXISTS (SELECT 1 FROM audit_seals WHERE audit_id = OLD.id) THEN
          RAISE EXCEPTION 'an audit row leaves the queue by its seal only' USING ERRCODE = '42501';
        END IF;
        RETURN OLD;
      END $$;
      CREATE TRIGGER audit_log_drop BEFORE DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_refuse_unless_dropped();
      CREATE TRIGGER audit_seals_drop BEFORE DELETE ON audit_seals FOR EACH ROW EXECUTE FUNCTION audit_refuse_unless_dropped();
      CREATE TRIGGER audit_unsealed_drop BEFORE DELETE ON audit_unsealed FOR EACH ROW EXECUTE FUNCTION audit_refuse_unless_sealed();
    `);
    for (const table of ['audit_log', 'audit_seals', 'audit_unsealed']) {
      await db.query(`CREATE TRIGGER ${table}_refuse BEFORE UPDATE OR TRUNCATE ON ${table} EXECUTE FUNCTION audit_refuse()`);
    }
    for (const table of ['audit_checkpoints', 'audit_keys', 'audit_retentions']) {
      await db.query(`CREATE TRIGGER ${table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} EXECUTE FUNCTION audit_refuse()`);
    }
    await db.query(`
      -- The only way by which audit rows leave: the oldest whole checkpoints beyond the owner's policy, with a record of it. Returns the rows dropped.
      CREATE FUNCTION audit_drop_expired(record_id uuid, most bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
      DECLARE
        days double precision := (SELECT retention_days FROM audit_policy);
        start record;
        until record;
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('gwanje.audit.retention'));
        SELECT coalesce(max(last_checkpoint), 0) AS checkpoint, coalesce(max(last_position), 0) AS position INTO start FROM audit_retentions;
        SELECT number, last, root INTO until FROM audit_checkpoints
          WHERE number > start.checkpoint AND sealed_at < now() - days * interval '1 day' AND last <= start.position + most
          ORDER BY number DESC LIMIT 1;
        IF days <= 0 OR until.number IS NULL THEN
          RETURN 0;
        END IF;
        INSERT INTO audit_retentions VALUES (until.number, until.last, record_id);
        DELETE FROM audit_log a USING audit_seals s WHERE s.audit_id = a.id AND s.position BETWEEN start.position + 1 AND until.last;
        DELETE FROM audit_seals WHERE position BETWEEN start.position + 1 AND until.last;
        INSERT INTO audit_log (id, actor_type, action, target_type, outcome, detail) VALUES (record_id, 'system', 'audit.retention', 'audit_log', 'done',
          jsonb_build_object('firstCheckpoint', start.checkpoint + 1, 'lastCheckpoint', until.number, 'firstPosition', start.position + 1,
            'lastPosition', until.last, 'rows', until.last - start.position, 'lastRoot', until.root, 'retentionDays', days));
        RETURN until.last - start.position;
      END $$;
      REVOKE EXECUTE ON FUNCTION audit_drop_expired(uuid, bigint) FROM PUBLIC;

      CREATE TABLE audit_exports (
        id uuid PRIMARY KEY,
        created_by uuid NOT NULL,
        everywhere text[] NOT NULL,
        format text NOT NULL CHECK (format IN ('csv', 'ndjson')),
        filter jsonb,
        status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'completed', 'failed')),
        attempt integer NOT NULL DEFAULT 0,
        progress smallint NOT NULL DEFAULT 0,
        rows bigint NOT NULL DEFAULT 0,
        bytes bigint,
        sha256 text,
        error_message text,
        heartbeat_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        completed_at timestamptz
      );
      CREATE INDEX audit_exports_unfinished ON audit_exports (id) WHERE status IN ('queued', 'running');
    `);
  }

  async down(): Promise<void> {
    throw new Error('The seals are never taken back: restore a backup instead');
  }
}
