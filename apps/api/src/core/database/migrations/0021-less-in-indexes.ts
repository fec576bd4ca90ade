import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an index or a constraint costs each row of a life, and nobody asks for. */
export class LessInIndexes1700000000021 implements MigrationInterface {
  name = 'LessInIndexes1700000000021';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      -- An event is named by its command and revision, and nothing asked for its id.
      ALTER TABLE command_logs DROP COLUMN id;
      -- Whoever creates a command is the caller, whom the same transaction has looked up; people are never deleted.
      ALTER TABLE commands DROP CONSTRAINT commands_created_by_fkey;
      -- Whether a move is legal can be asked afterwards: before it, the row would have to be read and locked once more.
      DO $$ DECLARE guard text := pg_get_triggerdef((SELECT oid FROM pg_trigger WHERE tgrelid = 'commands'::regclass AND tgname = 'commands_guard'));
      BEGIN
        DROP TRIGGER commands_guard ON commands;
        EXECUTE replace(guard, ' BEFORE UPDATE ', ' AFTER UPDATE ');
      END $$;

      -- New rows go to the end of an ascending index, whose pages are filled one after the other; it is read backwards as well.
      DROP INDEX audit_log_at, audit_log_actor, audit_log_actor_name, audit_log_action, audit_log_target, audit_log_client, audit_log_refused;
      CREATE INDEX audit_log_at ON audit_log (at, id);
      CREATE INDEX audit_log_actor ON audit_log (actor_id, at, id);
      CREATE INDEX audit_log_actor_name ON audit_log (lower(actor_name), at, id);
      CREATE INDEX audit_log_action ON audit_log (action COLLATE "C", at, id);
      CREATE INDEX audit_log_target ON audit_log (target_id, at, id);
      CREATE INDEX audit_log_client ON audit_log (client_id, at, id);
      CREATE INDEX audit_log_refused ON audit_log (at, id) WHERE outcome = 'refused';
      DROP INDEX commands_by_client, commands_by_status;
      CREATE INDEX commands_by_client ON commands (client_id, id) INCLUDE (action);
      CREATE INDEX commands_by_status ON commands (status COLLATE "C", id);
    `);
  }

  async down(): Promise<void> {
    throw new Error('What was dropped is never taken back: restore a backup instead');
  }
}
