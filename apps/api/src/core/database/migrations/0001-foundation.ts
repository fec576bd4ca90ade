import { BUILT_IN_ROLES, COMMAND_STATES, LEGAL_MOVES } from '@gwanje/contracts';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { v7 as uuid } from 'uuid';

const states = COMMAND_STATES.map((state) => `'${state}'`).join(', ');
const moves = Object.entries(LEGAL_MOVES)
  .flatMap(([from, targets]) => targets.map((to) => `('${from}', '${to}')`))
  .join(', ');

/** Tables, the guard of the command's state, and the indexes of the claim, the sweeper and the lists. */
export class Foundation1700000000001 implements MigrationInterface {
  name = 'Foundation1700000000001';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE users (
        id uuid PRIMARY KEY,
        email text NOT NULL,
        name text NOT NULL,
        password_hash text NOT NULL,
        disabled_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE UNIQUE INDEX users_email ON users (lower(email));
      CREATE TABLE roles (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        permissions text[] NOT NULL,
        built_in boolean NOT NULL DEFAULT false
      );
      CREATE TABLE user_roles (
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        role_id uuid NOT NULL REFERENCES roles,
        PRIMARY KEY (user_id, role_id)
      );
      CREATE TABLE sessions (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        refresh_hash bytea NOT NULL UNIQUE,
        previous_hash bytea UNIQUE,
        rotated_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      );

      CREATE TABLE gateways (id uuid PRIMARY KEY, seen_at timestamptz NOT NULL DEFAULT now());
      CREATE TABLE clients (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        status text NOT NULL DEFAULT 'offline' CHECK (status IN ('online', 'offline')),
        groups text[] NOT NULL DEFAULT '{}',
        labels jsonb NOT NULL DEFAULT '{}',
        concurrency integer NOT NULL DEFAULT 4 CHECK (concurrency BETWEEN 1 AND 1000),
        agent jsonb,
        gateway_id uuid,
        connection_id uuid,
        last_seen_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      ) WITH (fillfactor = 80);
      CREATE INDEX clients_groups ON clients USING gin (groups);
      CREATE TABLE client_keys (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES clients ON DELETE CASCADE,
        key_hash bytea NOT NULL UNIQUE,
        valid_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX client_keys_client ON client_keys (client_id);
      CREATE TABLE client_permissions (
        id uuid PRIMARY KEY,
        client_id uuid REFERENCES clients ON DELETE CASCADE,
        group_name text,
        role_id uuid REFERENCES roles ON DELETE CASCADE,
        user_id uuid REFERENCES users ON DELETE CASCADE,
        actions text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CHECK (num_nonnulls(client_id, group_name) = 1 AND num_nonnulls(role_id, user_id) = 1)
      );
      CREATE INDEX client_permissions_client ON client_permissions (client_id);

      CREATE TABLE batches (
        id uuid PRIMARY KEY,
        action text NOT NULL,
        total integer NOT NULL,
        created_by uuid NOT NULL REFERENCES users,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE commands (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES clients ON DELETE CASCADE,
        batch_id uuid REFERENCES batches,
        action text NOT NULL,
        payload jsonb NOT NULL,
        priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 10),
        status text NOT NULL DEFAULT 'pending' CHECK (status IN (${states})),
        attempt integer NOT NULL DEFAULT 1,
        max_attempts integer NOT NULL DEFAULT 1,
        revision integer NOT NULL DEFAULT 1,
        timeout_ms integer NOT NULL,
        not_before timestamptz,
        due_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        deadline_at timestamptz,
        result jsonb,
        error_message text,
        reported jsonb,
        created_by uuid NOT NULL REFERENCES users,
        created_at timestamptz NOT NULL DEFAULT now(),
        dispatched_at timestamptz,
        started_at timestamptz,
        completed_at timestamptz
      ) WITH (fillfactor = 80);
      CREATE INDEX commands_claim ON commands (client_id, priority DESC, id) WHERE status = 'pending';
      CREATE INDEX commands_in_flight ON commands (client_id) WHERE status IN ('dispatched', 'running');
      CREATE INDEX commands_deadline ON commands (deadline_at) WHERE status IN ('dispatched', 'running');
      CREATE INDEX commands_expiry ON commands (expires_at)
        WHERE status IN ('pending', 'dispatched') AND expires_at IS NOT NULL;
      CREATE INDEX commands_by_client ON commands (client_id, id DESC);
      CREATE INDEX commands_by_status ON commands (status, id DESC);
      CREATE INDEX commands_by_batch ON commands (batch_id, status) WHERE batch_id IS NOT NULL;

      CREATE TABLE command_moves (from_status text NOT NULL, to_status text NOT NULL, PRIMARY KEY (from_status, to_status));
      INSERT INTO command_moves VALUES ${moves};
      CREATE FUNCTION guard_command_move() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF OLD.status <> NEW.status AND NOT EXISTS (
          SELECT 1 FROM command_moves WHERE from_status = OLD.status AND to_status = NEW.status
        ) THEN
          RAISE EXCEPTION 'illegal move of command %: % -> %', OLD.id, OLD.status, NEW.status USING ERRCODE = '23514';
        END IF;
        IF NEW.attempt <> OLD.attempt + (CASE WHEN OLD.status <> 'pending' AND NEW.status = 'pending' THEN 1 ELSE 0 END) THEN
          RAISE EXCEPTION 'illegal attempt of command %: % -> %', OLD.id, OLD.attempt, NEW.attempt USING ERRCODE = '23514';
        END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER commands_guard BEFORE UPDATE OF status, attempt ON commands
        FOR EACH ROW EXECUTE FUNCTION guard_command_move();

      CREATE TABLE command_logs (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        command_id uuid NOT NULL REFERENCES commands ON DELETE CASCADE,
        revision integer NOT NULL,
        event_type text NOT NULL,
        attempt integer NOT NULL,
        data jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (command_id, revision)
      );
      CREATE TABLE command_outputs (
        command_id uuid NOT NULL REFERENCES commands ON DELETE CASCADE,
        position bigint NOT NULL,
        attempt integer NOT NULL,
        seq integer,
        stream text NOT NULL CHECK (stream IN ('stdout', 'stderr', 'progress')),
        text text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (command_id, position),
        UNIQUE (command_id, attempt, seq)
      );
      CREATE TABLE artifacts (
        id uuid PRIMARY KEY,
        command_id uuid NOT NULL REFERENCES commands ON DELETE CASCADE,
        name text NOT NULL,
        content_type text NOT NULL,
        size bigint NOT NULL,
        sha256 text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX artifacts_command ON artifacts (command_id);
      CREATE TABLE idempotency_keys (
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        key text NOT NULL,
        body_hash bytea NOT NULL,
        answer_id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (user_id, key)
      );
      CREATE TABLE audit_log (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        actor_type text NOT NULL,
        actor_id uuid,
        action text NOT NULL,
        target_type text NOT NULL,
        target_id text,
        outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
        detail jsonb NOT NULL DEFAULT '{}',
        request_id text
      );
      CREATE INDEX audit_log_target ON audit_log (target_id, id DESC);
    `);
    for (const [name, permissions] of Object.entries(BUILT_IN_ROLES)) {
      await db.query('INSERT INTO roles (id, name, permissions, built_in) VALUES ($1, $2, $3, true)', [uuid(), name, permissions]);
    }
  }

  async down(): Promise<void> {
    throw new Error('The foundation is never taken back: restore a backup instead');
  }
}
