import { LEGAL_MOVES } from '@gwanje/contracts';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const legal = Object.entries(LEGAL_MOVES).flatMap(([from, targets]) => targets.map((to) => `${from}>${to}`));

/** What each row of a command's life costs: the same guards, asked once for a statement or only when something looks wrong. */
export class LighterRows1700000000017 implements MigrationInterface {
  name = 'LighterRows1700000000017';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      -- Calling the guard costs more than what it looks at: moves that are known to be legal do not come to it.
      DROP TRIGGER commands_guard ON commands;
      CREATE TRIGGER commands_guard BEFORE UPDATE OF status, attempt ON commands FOR EACH ROW
        WHEN (NEW.attempt <> OLD.attempt OR NOT (OLD.status || '>' || NEW.status) = ANY ('{${legal.join(',')}}'))
        EXECUTE FUNCTION guard_command_move();

      -- A row of the history is written by the statement that moves its command, which has just seen it; it goes with the command.
      ALTER TABLE command_logs DROP CONSTRAINT command_logs_command_id_fkey;
      CREATE FUNCTION forget_history() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        DELETE FROM command_logs l USING gone WHERE l.command_id = gone.id;
        RETURN NULL;
      END $$;
      CREATE TRIGGER commands_forget_history AFTER DELETE ON commands
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_history();
      -- Whoever authorizes a command is the caller, whom the same transaction has looked up; people are never deleted.
      ALTER TABLE commands DROP CONSTRAINT commands_authorized_by_fkey;

      DROP TRIGGER audit_log_enqueue ON audit_log;
      CREATE OR REPLACE FUNCTION audit_enqueue() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
      BEGIN
        INSERT INTO audit_unsealed SELECT id, at FROM added;
        RETURN NULL;
      END $$;
      CREATE TRIGGER audit_log_enqueue AFTER INSERT ON audit_log
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_enqueue();

      DROP TRIGGER audit_unsealed_drop ON audit_unsealed;
      CREATE OR REPLACE FUNCTION audit_refuse_unless_sealed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
      BEGIN
        IF EXISTS (SELECT FROM gone WHERE NOT EXISTS (SELECT FROM audit_seals s WHERE s.audit_id = gone.id)) THEN
          RAISE EXCEPTION 'an audit row leaves the queue by its seal only' USING ERRCODE = '42501';
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER audit_unsealed_drop AFTER DELETE ON audit_unsealed
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_unless_sealed();
    `);
  }

  async down(): Promise<void> {
    throw new Error('Lighter rows are never taken back: restore a backup instead');
  }
}
