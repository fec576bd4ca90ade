import type { MigrationInterface, QueryRunner } from 'typeorm';

/** One-time codes as a second factor, roles that demand it, and accounts of an OpenID provider. */
export class SecondFactor1700000000005 implements MigrationInterface {
  name = 'SecondFactor1700000000005';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE roles ADD requires_second_factor boolean NOT NULL DEFAULT false;
      ALTER TABLE sessions ADD second_factor boolean NOT NULL DEFAULT false;

      CREATE TABLE second_factors (
        user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
        secret bytea NOT NULL,
        confirmed_at timestamptz,
        last_step bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE recovery_codes (
        user_id uuid NOT NULL REFERENCES second_factors ON DELETE CASCADE,
        hash bytea NOT NULL,
        PRIMARY KEY (user_id, hash)
      );

      -- An account of an OpenID provider has no password.
      ALTER TABLE users ALTER password_hash DROP NOT NULL, ADD password_login_at timestamptz;
      UPDATE users u SET password_login_at = (SELECT max(s.created_at) FROM sessions s WHERE s.user_id = u.id);
      CREATE TABLE external_identities (
        issuer text NOT NULL,
        subject text NOT NULL,
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        mapped_roles uuid[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        last_login_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (issuer, subject)
      );
      CREATE INDEX external_identities_user ON external_identities (user_id);
    `);
  }

  async down(): Promise<void> {
    throw new Error('The second factor is never taken back: restore a backup instead');
  }
}
