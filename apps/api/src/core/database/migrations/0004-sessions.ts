import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Every refresh secret that a session ever had, the counting of failed log-ins, and personal access tokens. */
export class Sessions1700000000004 implements MigrationInterface {
  name = 'Sessions1700000000004';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE refresh_secrets (
        hash bytea PRIMARY KEY,
        session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
        used_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX refresh_secrets_session ON refresh_secrets (session_id);
      INSERT INTO refresh_secrets (hash, session_id) SELECT refresh_hash, id FROM sessions;
      ALTER TABLE sessions DROP refresh_hash, DROP previous_hash, DROP rotated_at,
        ADD address text, ADD user_agent text, ADD last_used_at timestamptz NOT NULL DEFAULT now();
      CREATE INDEX sessions_user ON sessions (user_id);

      CREATE TABLE login_failures (
        key bytea PRIMARY KEY,
        failures integer NOT NULL,
        locked_until timestamptz NOT NULL DEFAULT now(),
        last_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX login_failures_age ON login_failures (last_at);

      CREATE TABLE personal_access_tokens (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        name text NOT NULL,
        token_hash bytea NOT NULL UNIQUE,
        permissions text[],
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX personal_access_tokens_user ON personal_access_tokens (user_id);
    `);
  }

  async down(): Promise<void> {
    throw new Error('Sessions are never taken back: restore a backup instead');
  }
}
