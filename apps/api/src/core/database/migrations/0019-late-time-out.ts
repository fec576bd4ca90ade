import { LEGAL_MOVES } from '@gwanje/contracts';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const legal = Object.entries(LEGAL_MOVES).flatMap(([from, targets]) => targets.map((to) => ({ from, to })));

/** Lets an agent settle a doubt by its late word that it ended the attempt in time. */
export class LateTimeOut1700000000019 implements MigrationInterface {
  name = 'LateTimeOut1700000000019';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      INSERT INTO command_moves VALUES ${legal.map(({ from, to }) => `('${from}', '${to}')`).join()} ON CONFLICT DO NOTHING;
      DROP TRIGGER commands_guard ON commands;
      CREATE TRIGGER commands_guard BEFORE UPDATE OF status, attempt ON commands FOR EACH ROW
        WHEN (NEW.attempt <> OLD.attempt OR NOT (OLD.status || '>' || NEW.status) = ANY ('{${legal.map(({ from, to }) => `${from}>${to}`).join()}}'))
        EXECUTE FUNCTION guard_command_move();
    `);
  }

  down(): Promise<void> {
    throw new Error('A legal move is never taken back: restore a backup instead');
  }
}
