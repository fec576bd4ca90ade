import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `phase` is what indexes know of a command's status: dispatched and running are both `open`. So a start changes nothing that is indexed, and PostgreSQL
 * writes the new row beside the old one without an entry in any index (https://www.postgresql.org/docs/current/storage-hot.html).
 */
export class Phase1700000000022 implements MigrationInterface {
  name = 'Phase1700000000022';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP INDEX commands_claim, commands_in_flight, commands_deadline, commands_expiry, commands_by_status, commands_by_batch;
      ALTER TABLE commands ADD phase text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (CASE WHEN status IN ('dispatched', 'running') THEN 'open' ELSE status END) STORED;
      CREATE INDEX commands_claim ON commands (client_id, priority DESC, id) WHERE phase = 'pending';
      CREATE INDEX commands_in_flight ON commands (client_id) WHERE phase = 'open';
      CREATE INDEX commands_deadline ON commands (deadline_at) WHERE phase = 'open' AND deadline_at IS NOT NULL;
      CREATE INDEX commands_expiry ON commands (expires_at) WHERE phase IN ('pending', 'open') AND expires_at IS NOT NULL;
      CREATE INDEX commands_by_phase ON commands (phase, id);
      CREATE INDEX commands_by_batch ON commands (batch_id) WHERE batch_id IS NOT NULL;
    `);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP INDEX commands_claim, commands_in_flight, commands_deadline, commands_expiry, commands_by_phase, commands_by_batch;
      ALTER TABLE commands DROP phase;
      UPDATE commands SET deadline_at = started_at + make_interval(secs => timeout_ms / 1000.0) WHERE status = 'running';
      CREATE INDEX commands_claim ON commands (client_id, priority DESC, id) WHERE status = 'pending';
      CREATE INDEX commands_in_flight ON commands (client_id) WHERE status IN ('dispatched', 'running');
      CREATE INDEX commands_deadline ON commands (deadline_at) WHERE status IN ('dispatched', 'running') AND deadline_at IS NOT NULL;
      CREATE INDEX commands_expiry ON commands (expires_at) WHERE status IN ('pending', 'dispatched') AND expires_at IS NOT NULL;
      CREATE INDEX commands_by_status ON commands (status COLLATE "C", id);
      CREATE INDEX commands_by_batch ON commands (batch_id, status) WHERE batch_id IS NOT NULL;
    `);
  }
}
