import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who asked and from where in the audit record; where a role's permissions hold; the version of a person's rights. */
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
        ADD rights_version integer NOT NULL DEFAULT 1;
      ALTER TABLE client_permissions ADD limits jsonb NOT NULL DEFAULT '{}';
      ALTER TABLE client_permissions ADD created_by uuid REFERENCES users;
      CREATE INDEX client_permissions_group ON client_permissions (group_name) WHERE group_name IS NOT NULL;
      CREATE INDEX client_permissions_user ON client_permissions (user_id) WHERE user_id IS NOT NULL;
      CREATE INDEX client_permissions_role ON client_permissions (role_id) WHERE role_id IS NOT NULL;
      CREATE INDEX user_roles_role ON user_roles (role_id);

      ALTER TABLE commands ADD rights_version integer NOT NULL DEFAULT 1;
    `);
  }

  async down(): Promise<void> {
    throw new Error('Rights are never taken back: restore a backup instead');
  }
}
