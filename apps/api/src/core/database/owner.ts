import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import type { Config } from '../config/config';
import { isAway, isUndone } from './away';
import { Foundation1700000000001 } from './migrations/0001-foundation';
import { Rights1700000000002 } from './migrations/0002-rights';
import { AuditSeals1700000000003 } from './migrations/0003-audit-seals';
import { Sessions1700000000004 } from './migrations/0004-sessions';
import { SecondFactor1700000000005 } from './migrations/0005-second-factor';
import { AccountsAndRefusals1700000000006 } from './migrations/0006-accounts-and-refusals';
import { Reach1700000000007 } from './migrations/0007-reach';
import { StatusIndex1700000000008 } from './migrations/0008-status-index';
import { Operations1700000000009 } from './migrations/0009-operations';
import { SessionOrdinals1700000000010 } from './migrations/0010-session-ordinals';
import { ExportNews1700000000011 } from './migrations/0011-export-news';
import { Alerts1700000000012 } from './migrations/0012-alerts';
import { Traces1700000000013 } from './migrations/0013-traces';
import { SealedPayloads1700000000014 } from './migrations/0014-sealed-payloads';
import { AlertNews1700000000015 } from './migrations/0015-alert-news';
import { AlertDigests1700000000016 } from './migrations/0016-alert-digests';
import { LighterRows1700000000017 } from './migrations/0017-lighter-rows';
import { RefusalsInTheDatabase1700000000018 } from './migrations/0018-refusals-in-the-database';
import { LateTimeOut1700000000019 } from './migrations/0019-late-time-out';
import { PastOfAlertRules1700000000020 } from './migrations/0020-past-of-alert-rules';
import { LessInIndexes1700000000021 } from './migrations/0021-less-in-indexes';
import { Phase1700000000022 } from './migrations/0022-phase';
import { PhaseCollation1700000000023 } from './migrations/0023-phase-collation';
import { SteadyClient } from './steady-client';

/** In the order of their names. */
export const MIGRATIONS = [
  Foundation1700000000001, Rights1700000000002, AuditSeals1700000000003, Sessions1700000000004, SecondFactor1700000000005,
  AccountsAndRefusals1700000000006, Reach1700000000007, StatusIndex1700000000008, Operations1700000000009, SessionOrdinals1700000000010,
  ExportNews1700000000011, Alerts1700000000012, Traces1700000000013, SealedPayloads1700000000014, AlertNews1700000000015, AlertDigests1700000000016,
  LighterRows1700000000017, RefusalsInTheDatabase1700000000018, LateTimeOut1700000000019, PastOfAlertRules1700000000020,
  LessInIndexes1700000000021, Phase1700000000022, PhaseCollation1700000000023,
];

/** The role that the server works with. It exists once in a cluster, holds no login, and is granted to the server's own. */
export const APP_ROLE = 'gwanje_app';
/** As a connection option it is also what `RESET ROLE` leads back to. */
export const AS_APP_ROLE = `-c role=${APP_ROLE}`;

/** Tables to which the server may only add, and those that it may only read; all others are its to change. */
const ADD_ONLY = ['audit_log', 'audit_checkpoints', 'audit_seals', 'audit_keys'];
const READ_ONLY = ['audit_unsealed', 'audit_retentions', 'audit_policy', 'migrations'];

/** A table that has its grants keeps them: a newer release, beside which this one starts, may have given it fewer. */
const GRANT_NEW_TABLES = `
  DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
      AND NOT has_table_privilege('${APP_ROLE}', oid, 'SELECT')
    LOOP EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO ${APP_ROLE}', t); END LOOP;
  END $$`;

const PATIENCE = { tries: 10, pauseMs: 3_000 };
const LOCK_PAUSE_MS = 500;
const KEEP_ALIVE_MS = 10_000;
const log = new Logger('Database');

/**
 * What the owner of the database does before the server connects: migrations, the app role and its grants, the retention policy.
 * Any number of processes may start at once. Answers the connection option of the app role, or undefined when there can be none. Throws
 * when PostgreSQL, or the way to it, gives no answer; only a migration may take as long as it takes.
 */
export async function prepareDatabase(config: Config): Promise<string | undefined> {
  let owner = await connect(config, config.DB_QUERY_MS);
  try {
    if ((await new MigrationExecutor(owner).getPendingMigrations()).length > 0) {
      await owner.destroy();
      owner = await connect(config, 0);
    }
    const session = owner.createQueryRunner();
    await lock(session);
    await migrate(owner, session);
    await setPolicy(session, config.AUDIT_RETENTION_DAYS);
    const refused = await grantAppRole(session, config);
    const unusable = await probe(config);
    if (!unusable) return AS_APP_ROLE;
    log.warn(
      `The server works as the user of DATABASE_URL, not as the role ${APP_ROLE}: ${refused ?? unusable}. ` +
        'Triggers alone keep the audit log from being changed. ' +
        `To mend it, let a superuser run: CREATE ROLE ${APP_ROLE} NOLOGIN; GRANT ${APP_ROLE} TO <that user> WITH ADMIN OPTION; and start again.`,
    );
    return undefined;
  } finally {
    if (owner.isInitialized) await owner.destroy();
  }
}

/** Waits for a database that is not up yet. `queryMs` is how long an answer may take; 0 is without a bound. */
async function connect(config: Config, queryMs: number): Promise<DataSource> {
  const bounds = {
    connectionTimeoutMillis: config.DB_POOL_CONNECT_MS,
    query_timeout: queryMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // The server's end of a connection whose other end is gone without a word would hold the lock for ever.
    options: `-c idle_session_timeout=${config.DB_QUERY_MS} -c idle_in_transaction_session_timeout=${config.DB_QUERY_MS}`,
  };
  for (let tries = 1; ; tries++) {
    const owner = new DataSource({
      type: 'postgres', url: config.DATABASE_OWNER_URL ?? config.DATABASE_URL, migrations: MIGRATIONS, poolSize: 3,
      poolErrorHandler: () => undefined, extra: { Client: SteadyClient, ...bounds },
    });
    try {
      return await owner.initialize();
    } catch (error) {
      if (tries === PATIENCE.tries) throw error;
      log.warn(`no connection, tried again: ${(error as Error).message}`);
      await sleep(PATIENCE.pauseMs);
    }
  }
}

/** Held by this session until it ends; whoever else starts asks again and again: one long wait could not be told from an answer that never comes. */
async function lock(session: QueryRunner): Promise<void> {
  const ask = `SELECT pg_try_advisory_lock(hashtext('gwanje.migrate')) AS taken`;
  while (!((await session.query(ask)) as { taken: boolean }[])[0]?.taken) await sleep(LOCK_PAUSE_MS);
}

/** A server of the release before may be at work meanwhile, and have the same tables in another order: a migration that PostgreSQL undoes for it is tried again. */
async function migrate(owner: DataSource, session: QueryRunner): Promise<void> {
  for (let tries = 1; ; tries++) {
    const migrations = new MigrationExecutor(owner, session);
    migrations.transaction = 'each';
    try {
      await migrations.executePendingMigrations();
      return;
    } catch (error) {
      if (tries === PATIENCE.tries || !isUndone(error)) throw error;
      log.warn(`a migration was in the way of a server at work, tried again: ${(error as Error).message}`);
    }
  }
}

/** Only the owner sets it: a server that was broken into cannot have more dropped than this. */
async function setPolicy(owner: QueryRunner, days: number): Promise<void> {
  await owner
    .query('UPDATE audit_policy SET retention_days = $1 WHERE retention_days <> $1', [days])
    .catch((error: Error) => {
      if (isAway(error)) throw error;
      log.warn(`AUDIT_RETENTION_DAYS is not in force, the policy of the database stays: ${error.message}`);
    });
}

/** Answers why it could not be done, or undefined. */
async function grantAppRole(owner: QueryRunner, config: Config): Promise<string | undefined> {
  const login = decodeURIComponent(new URL(config.DATABASE_URL).username);
  try {
    await owner.query(`
      DO $$ BEGIN
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '${APP_ROLE}') THEN
          CREATE ROLE ${APP_ROLE} NOLOGIN;
        END IF;
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- made by a start on another database of this cluster
      END $$`);
    await joinAppRole(owner, login);
    await owner.startTransaction();
    const schema = '(SELECT quote_ident(current_schema()))';
    const statement = (text: string): Promise<unknown> => owner.query(`DO $$ BEGIN EXECUTE format('${text}', ${schema}); END $$`);
    await statement(`GRANT USAGE ON SCHEMA %s TO ${APP_ROLE}`);
    await owner.query(GRANT_NEW_TABLES);
    await statement(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA %s TO ${APP_ROLE}`);
    await owner.query(`REVOKE UPDATE, DELETE, TRUNCATE ON ${[...ADD_ONLY, ...READ_ONLY].join(', ')} FROM ${APP_ROLE}`);
    await owner.query(`REVOKE INSERT ON ${READ_ONLY.join(', ')} FROM ${APP_ROLE}`);
    await owner.query(`GRANT EXECUTE ON FUNCTION audit_drop_expired(uuid, bigint) TO ${APP_ROLE}`);
    await owner.commitTransaction();
    return undefined;
  } catch (error) {
    // A connection that is gone rolls back by itself.
    if (owner.isTransactionActive) await owner.rollbackTransaction().catch(() => undefined);
    if (isAway(error)) throw error;
    return (error as Error).message;
  }
}

/** Membership is of the whole cluster, and PostgreSQL refuses two grants of it at the same moment. */
async function joinAppRole(owner: QueryRunner, login: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const [member] = await owner.manager.query<unknown[]>(
      `SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
       WHERE r.rolname = $1 AND u.rolname = coalesce(nullif($2, ''), session_user)
       UNION ALL SELECT 1 FROM pg_roles WHERE rolname = coalesce(nullif($2, ''), session_user) AND rolsuper`,
      [APP_ROLE, login],
    );
    if (member) return;
    try {
      await owner.query(`DO $$ BEGIN EXECUTE format('GRANT ${APP_ROLE} TO %I', coalesce(nullif(${literal(login)}, ''), session_user)); END $$`);
    } catch (error) {
      if (tries === 20 || !/concurrently|unique/.test((error as Error).message)) throw error;
    }
  }
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Whether the server's own user can take the role, and the role has its grants; answers why not. Throws when nobody can tell: a start is not to go on with more rights for it. */
async function probe(config: Config): Promise<string | undefined> {
  const bounds = { connectionTimeoutMillis: config.DB_POOL_CONNECT_MS, query_timeout: config.DB_QUERY_MS };
  const client = new SteadyClient({ connectionString: config.DATABASE_URL, options: AS_APP_ROLE, ...bounds });
  try {
    await client.connect();
    const { rows } = await client.query<{ granted: boolean }>(`SELECT has_table_privilege('audit_log', 'INSERT') AS granted`);
    return rows[0]?.granted ? undefined : `the role ${APP_ROLE} has no grants on this database`;
  } catch (error) {
    if (isAway(error)) throw error;
    return (error as Error).message;
  } finally {
    await client.end().catch(() => undefined);
  }
}
