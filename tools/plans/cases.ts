import type { INestApplicationContext } from '@nestjs/common';
import { AuditReader } from '../../apps/api/src/audit/audit-reader';
import { ClientsService } from '../../apps/api/src/clients/clients.service';
import { CommandReader } from '../../apps/api/src/commands/command-reader';
import { CommandStore } from '../../apps/api/src/commands/command-store';
import { CommandSweeps } from '../../apps/api/src/commands/command-sweeps';
import { NewsDesk, type NewsStream } from '../../apps/api/src/commands/news-desk';
import type { Person } from '../../apps/api/src/core/access/access';
import { ask } from '../../apps/api/src/core/database/statement';
import type { Filled } from './fill';

export interface Case {
  title: string;
  act: () => Promise<unknown>;
  /** SQL that gives the repeated run something to do again. */
  prepare?: string;
}

const page = { limit: 50 };
const FREE_SLOTS = 'UPDATE clients SET concurrency = 500';

/** What the server itself does, and what somebody who reaches everything asks. */
export function hotCases(app: INestApplicationContext, filled: Filled, adminId: string): Case[] {
  const { store, sweeps, reader } = parts(app);
  const everything = person(adminId, true);
  return [
    { title: 'claim for one client', act: () => store.transaction((transaction) => ask(transaction, store.claim([filled.client]))), prepare: FREE_SLOTS },
    { title: 'sweep: expire', act: () => sweeps.expire(500) },
    { title: 'sweep: time out', act: () => sweeps.timeOut(500) },
    { title: 'sweep: clients with due work and a free slot', act: () => sweeps.findStarving(500), prepare: FREE_SLOTS },
    { title: 'list by client', act: () => reader.list({ ...page, clientId: filled.client }, everything) },
    { title: 'list by status', act: () => reader.list({ ...page, status: 'failed' }, everything) },
    { title: 'queue of a client', act: () => reader.queue(filled.client, page, everything) },
  ];
}

/** What somebody confined to grants asks. */
export function confinedCases(app: INestApplicationContext, filled: Filled, userId: string, clientId: string): Case[] {
  const { reader, clients, news, audit } = parts(app);
  const me = person(userId, false);
  return [
    { title: 'commands', act: () => reader.list(page, me) },
    { title: 'commands by status', act: () => reader.list({ ...page, status: 'failed' }, me) },
    { title: 'commands of a status that none is in', act: () => reader.list({ ...page, status: 'indeterminate' }, me) },
    { title: 'commands by client', act: () => reader.list({ ...page, clientId }, me) },
    { title: 'commands of a batch', act: () => reader.list({ ...page, batchId: filled.batch }, me) },
    { title: 'commands from the middle on', act: () => reader.list({ ...page, cursor: filled.middle }, me) },
    { title: 'clients', act: () => clients.list(page, me) },
    { title: 'batch', act: () => reader.batch(filled.batch, me).catch(() => undefined /* nothing of it is theirs */) },
    ...filled.points.map(({ changes, point }) => ({ title: `news of ${changes} commands`, act: () => news.watch(me, ['commands', 'clients'], point, NOBODY) })),
    { title: 'audit', act: () => audit.list(page, me) },
    { title: 'audit of one action', act: () => audit.list({ ...page, action: 'commands.result' }, me) },
    { title: 'audit of what was refused', act: () => audit.list({ ...page, outcome: 'refused' }, me) },
  ];
}

function parts(app: INestApplicationContext): {
  store: CommandStore; sweeps: CommandSweeps; reader: CommandReader; clients: ClientsService; news: NewsDesk; audit: AuditReader;
} {
  const options = { strict: false };
  return {
    store: app.get(CommandStore, options),
    sweeps: app.get(CommandSweeps, options),
    reader: app.get(CommandReader, options),
    clients: app.get(ClientsService, options),
    news: app.get(NewsDesk, options),
    audit: app.get(AuditReader, options),
  };
}

/** A stream that nobody reads, and that ends as soon as it has been told what it missed. */
const NOBODY: NewsStream = { send: () => undefined, write: () => undefined, onClose: (listener) => void setImmediate(listener) };

/** Somebody who may read what their grants reach, or everything. */
export function person(id: string, all: boolean): Person {
  const permissions: Person['permissions'] = ['commands.read', 'clients.read', 'audit.read'];
  const secondFactor = { enabled: false, required: false, satisfied: true };
  const origin = { requestId: 'plans', address: '127.0.0.1' };
  return { type: 'user', id, email: '', name: '', roles: [], secondFactor, permissions, everywhere: all ? permissions : [], rightsVersion: 1, origin };
}
