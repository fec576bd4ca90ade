import type { CommandState } from '@gwanje/contracts';
import { Injectable, OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { ExportsService } from '../audit/exports/exports.service';
import type { Person } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { Bus } from '../core/events/bus.service';
import { type Change, NewsSources } from '../core/events/news-sources';
import { RbacService } from '../rbac/rbac.service';

/** `data` of `event: command`: the command as it is now. A reader keeps the one of the highest `revision`. */
export interface CommandNews extends Change {
  clientId: string;
  batchId: string | null;
  action: string;
  priority: number;
  status: CommandState;
  attempt: number;
  errorMessage: string | null;
  createdAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
}

const COMMAND = `c.id, c.client_id AS "clientId", c.batch_id AS "batchId", c.action, c.priority, c.status, c.attempt, c.revision,
  c.error_message AS "errorMessage", c.created_at AS "createdAt", c.started_at AS "startedAt", c.completed_at AS "completedAt"`;
const CLIENT = `c.id, c.name, c.status, c.last_seen_at AS "lastSeenAt", c.groups, c.labels, c.deleted_at AS "deletedAt",
  c.changed_xid::text::float8 AS revision`;

/** Reports commands, clients and audit exports to the news desk. */
@Injectable()
export class Reporter implements OnModuleInit {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly rbac: RbacService,
    private readonly exports: ExportsService,
    private readonly bus: Bus,
    private readonly sources: NewsSources,
  ) {}

  onModuleInit(): void {
    this.sources.add({
      topic: 'commands',
      event: 'command',
      permission: 'commands.read',
      isShared: true,
      listen: (note) => this.bus.on('commands', ({ ids }) => note(ids)),
      changedSince: (point, atMost) =>
        this.database.query(
          `SELECT command_id AS id, max(revision) AS revision
           FROM (SELECT command_id, revision FROM command_logs WHERE xid >= $1::text::xid8 LIMIT $2) l GROUP BY command_id`,
          [point, atMost],
        ),
      read: (ids, person) => this.commands(ids, person),
    });
    this.sources.add({
      topic: 'clients',
      event: 'client',
      permission: 'clients.read',
      isShared: true,
      listen: (note) => this.bus.on('client', ({ id }) => note([id])),
      changedSince: (point, atMost) =>
        this.database.query('SELECT id, changed_xid::text::float8 AS revision FROM clients WHERE changed_xid >= $1::text::xid8 LIMIT $2', [point, atMost]),
      read: (ids, person) => this.clients(ids, person),
    });
    this.sources.add({
      topic: 'exports',
      event: 'export',
      permission: 'audit.export',
      // Everybody's exports are their own.
      isShared: false,
      listen: (note) => this.bus.on('exports', ({ ids }) => note(ids)),
      changedSince: (point, atMost) => this.exports.changedSince(point, atMost),
      read: (ids, person) => this.exports.news(ids, person.id),
    });
  }

  private commands(ids: string[], person: Person): Promise<CommandNews[]> {
    const conditions = new Conditions().and('c.id = ANY(?)', ids);
    this.rbac.narrowToCommands(conditions, person, 'commands.read', 'c.client_id', 'c.action');
    return this.database.query(`SELECT ${COMMAND} FROM commands c WHERE ${conditions.sql} ORDER BY c.id`, conditions.values);
  }

  private clients(ids: string[], person: Person): Promise<Change[]> {
    const conditions = new Conditions().and('c.id = ANY(?)', ids);
    this.rbac.narrowToClients(conditions, person, 'clients.read', 'c.id');
    return this.database.query(`SELECT ${CLIENT} FROM clients c WHERE ${conditions.sql} ORDER BY c.id`, conditions.values);
  }
}
