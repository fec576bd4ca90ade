import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who asked and from where in the audit record; where a role's permissions hold; the version of a person's rights; and the view
 * `client_reach`: which actions a person may run on which client, by a grant of their own or of one of their roles. Also what the
 * console's news, the removal of clients, the enrolment, the cancelling of running commands and secret parameters need.
 */
export class Rights1700000000002 implements MigrationInterface {
  name = 'Rights1700000000002';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE audit_log
        ADD actor_token_id uuid,
        ADD address text,
        ADD client_id uuid,
        ADD before jsonb,
        ADD after jsonb;

      ALTER TABLE roles ADD scope text NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'granted')), ADD created_at timestamptz NOT NULL DEFAULT now();
      ALTER TABLE users
        ADD scope text NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'granted')),
        ADD rights_version integer NOT NULL DEFAULT 1,
        ADD rights_changed_at timestamptz NOT NULL DEFAULT now(),
        ADD rights_doubted boolean NOT NULL DEFAULT false,
        ADD deleted_at timestamptz CHECK (deleted_at IS NULL OR disabled_at IS NOT NULL);
      DROP INDEX users_email;
      CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE deleted_at IS NULL;
      ALTER TABLE client_permissions ADD limits jsonb NOT NULL DEFAULT '{}';
      ALTER TABLE client_permissions ADD created_by uuid REFERENCES users;
      CREATE INDEX client_permissions_group ON client_permissions (group_name) WHERE group_name IS NOT NULL;
      CREATE INDEX client_permissions_user ON client_permissions (user_id) WHERE user_id IS NOT NULL;
      CREATE INDEX client_permissions_role ON client_permissions (role_id) WHERE role_id IS NOT NULL;
      CREATE INDEX user_roles_role ON user_roles (role_id);

      ALTER TABLE commands ADD cancel_requested_at timestamptz, ADD secret_parameters text[] NOT NULL DEFAULT '{}';
      CREATE UNIQUE INDEX artifacts_content ON artifacts (command_id, name, sha256);
      -- Not for counting a client's commands in flight, which would read them all: only a search by deadline implies the condition.
      DROP INDEX commands_deadline;
      CREATE INDEX commands_deadline ON commands (deadline_at) WHERE status IN ('dispatched', 'running') AND deadline_at IS NOT NULL;
      CREATE INDEX users_doubted ON users (id) WHERE rights_doubted;
      ALTER TABLE commands ADD rights_version integer NOT NULL DEFAULT 1, ADD authorized_by uuid REFERENCES users;
      UPDATE commands SET authorized_by = created_by;
      ALTER TABLE commands ALTER authorized_by SET NOT NULL;

      ALTER TABLE clients ADD deleted_at timestamptz;
      ALTER TABLE clients DROP CONSTRAINT clients_name_key;
      CREATE UNIQUE INDEX clients_name ON clients (name) WHERE deleted_at IS NULL;

      -- UUIDv7 (RFC 9562) as a default, also where PostgreSQL has none of its own: 48 bits of milliseconds, the rest random.
      CREATE FUNCTION uuid_by_time() RETURNS uuid LANGUAGE sql VOLATILE AS $$
        SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
          PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
      $$;
      ALTER TABLE command_logs ALTER id SET DEFAULT uuid_by_time();

      -- A reader that has seen everything below pg_snapshot_xmin() and goes on from there never skips a transaction that commits late.
      ALTER TABLE command_logs ADD xid xid8 NOT NULL DEFAULT pg_current_xact_id();
      CREATE INDEX command_logs_xid ON command_logs (xid);
      ALTER TABLE clients ADD changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id();
      CREATE FUNCTION stamp_client() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.changed_xid := pg_current_xact_id();
        RETURN NEW;
      END $$;
      CREATE TRIGGER clients_stamp BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION stamp_client();

      CREATE TABLE enrolment_tokens (
        id uuid PRIMARY KEY,
        token_hash bytea NOT NULL UNIQUE,
        groups text[] NOT NULL DEFAULT '{}',
        uses_left integer NOT NULL CHECK (uses_left >= 0),
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz,
        created_by uuid NOT NULL REFERENCES users,
        created_at timestamptz NOT NULL DEFAULT now()
      );

      CREATE VIEW client_reach AS
        SELECT p.id AS grant_id, p.user_id, p.client_id, p.actions, p.limits FROM client_permissions p
          WHERE p.user_id IS NOT NULL AND p.client_id IS NOT NULL
        UNION ALL
        SELECT p.id, p.user_id, c.id, p.actions, p.limits FROM client_permissions p JOIN clients c ON c.groups @> ARRAY[p.group_name]
          WHERE p.user_id IS NOT NULL AND p.group_name IS NOT NULL
        UNION ALL
        SELECT p.id, ur.user_id, p.client_id, p.actions, p.limits FROM client_permissions p JOIN user_roles ur ON ur.role_id = p.role_id
          WHERE p.client_id IS NOT NULL
        UNION ALL
        SELECT p.id, ur.user_id, c.id, p.actions, p.limits FROM client_permissions p JOIN user_roles ur ON ur.role_id = p.role_id
          JOIN clients c ON c.groups @> ARRAY[p.group_name] WHERE p.group_name IS NOT NULL;
    `);
  }

  async down(): Promise<void> {
    throw new Error('Rights are never taken back: restore a backup instead');
  }
}
