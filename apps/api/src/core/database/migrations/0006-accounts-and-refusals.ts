import type { MigrationInterface, QueryRunner } from 'typeorm';

/** One key for all spellings of an account, names in one Unicode form, whom a lock-out turned away, and the rights that an export was ordered with. */
export class AccountsAndRefusals1700000000006 implements MigrationInterface {
  name = 'AccountsAndRefusals1700000000006';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE login_failures ADD turned_away integer NOT NULL DEFAULT 0;
      -- No person's version is 0: what was ordered before has to be ordered again.
      ALTER TABLE audit_exports ADD rights_version integer NOT NULL DEFAULT 0;

      -- Whatever spells the same account has the same key: width, composition, case and surrounding space do not count.
      CREATE FUNCTION account_key(email text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN normalize(lower(normalize(btrim(email), NFKC)), NFKC);
      DO $$
      DECLARE
        doubled text := (SELECT string_agg(emails, '; ') FROM (
          SELECT string_agg(email, ', ') AS emails FROM users WHERE deleted_at IS NULL GROUP BY account_key(email) HAVING count(*) > 1) same);
      BEGIN
        IF doubled IS NOT NULL THEN
          RAISE EXCEPTION 'these e-mails are one and the same, delete or rename all but one of each with the version before: %', doubled;
        END IF;
      END $$;
      DROP INDEX users_email;
      CREATE UNIQUE INDEX users_email ON users (account_key(email)) WHERE deleted_at IS NULL;

      UPDATE users SET email = normalize(btrim(email), NFC), name = normalize(btrim(name), NFC)
        WHERE (email, name) IS DISTINCT FROM (normalize(btrim(email), NFC), normalize(btrim(name), NFC));
      -- Where the name in the one form is somebody else's already, both stay as they are.
      UPDATE roles r SET name = normalize(btrim(name), NFC)
        WHERE name <> normalize(btrim(name), NFC) AND NOT EXISTS (
          SELECT 1 FROM roles o WHERE o.id <> r.id AND normalize(btrim(o.name), NFC) = normalize(btrim(r.name), NFC));
      UPDATE clients c SET name = normalize(name, NFC)
        WHERE deleted_at IS NULL AND name IS NOT NFC NORMALIZED AND NOT EXISTS (
          SELECT 1 FROM clients o WHERE o.id <> c.id AND o.deleted_at IS NULL AND normalize(o.name, NFC) = normalize(c.name, NFC));
      UPDATE clients SET groups = (SELECT array_agg(DISTINCT normalize(btrim(g), NFC)) FROM unnest(groups) g)
        WHERE EXISTS (SELECT 1 FROM unnest(groups) g WHERE g <> normalize(btrim(g), NFC));
      UPDATE enrolment_tokens SET groups = (SELECT array_agg(DISTINCT normalize(btrim(g), NFC)) FROM unnest(groups) g)
        WHERE EXISTS (SELECT 1 FROM unnest(groups) g WHERE g <> normalize(btrim(g), NFC));
      UPDATE client_permissions SET group_name = normalize(btrim(group_name), NFC) WHERE group_name <> normalize(btrim(group_name), NFC);
    `);
  }

  async down(): Promise<void> {
    throw new Error('The keys of accounts are never taken back: restore a backup instead');
  }
}
