import { type AlertMessage, MOST_NAMED } from '@gwanje/contracts';
import { InjectQueue, Process, Processor } from '@nestjs/bull';
import { BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Job, Queue } from 'bull';
import type { DataSource } from 'typeorm';
import { Config } from '../core/config/config';
import { Cipher } from '../core/crypto/cipher';
import { type Address, AlertStore, TRIES, utc } from './alert-store';
import { secretContext } from './channel-book';
import { Mailer } from './mailer';
import { mailOf, messageOf, type Told } from './message';
import { WebhookSender } from './webhook-sender';

export const DELIVERIES_QUEUE = 'alert-deliveries';
/** A job can be lost with Redis, or with the worker that took it. */
const QUEUE_AGAIN_MS = 4_000;
/** For so long a delivery is the one's who took it, and from each renewal on. */
const LEASE_SECONDS = 60;
const RENEW_MS = 20_000;
const AT_ONCE = 200;
/** Of those that are carried out without a queue. */
const AT_ONCE_HERE = 20;
const LONGEST_ERROR = 500;
/** SQL on `alert_deliveries d`. What is over is told when it has been told, or been given up to tell, that it began. */
const DUE = `d.state = 'pending' AND d.due_at <= now() AND NOT (d.news = 'resolved' AND EXISTS (
  SELECT FROM alert_deliveries f WHERE f.rule_id = d.rule_id AND f.channel_id = d.channel_id AND f.gathers_until <= d.gathers_until
    AND f.news = 'firing' AND f.state = 'pending'
))`;

interface Claimed extends Address {
  deliveryId: string;
  attempt: number;
  /** Which try it is since it was ordered, or somebody asked for more. */
  turn: number;
  message: AlertMessage;
}

/**
 * Brings news to channels. The row in PostgreSQL is the order, its state and the claim on it; Bull's job only says when to look at it.
 * `attempts` is the fencing token: whoever lost the claim changes nothing any more. A delivery may arrive twice, with the same id, when
 * the one who made it died before it could write that down.
 */
@Injectable()
export class Postman implements BeforeApplicationShutdown {
  private readonly log = new Logger('Postman');
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    @InjectQueue(DELIVERIES_QUEUE) private readonly queue: Queue<{ id: string }>,
    private readonly webhooks: WebhookSender,
    private readonly mailer: Mailer,
    private readonly cipher: Cipher,
    private readonly store: AlertStore,
    private readonly config: Config,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await Promise.allSettled(this.running);
  }

  /** Puts on the queue whatever is due; a worker carries it out by itself while Redis is away. Never throws: the next sweep tries again. */
  async sweep(): Promise<void> {
    try {
      const due = await this.database.query<{ id: string; attempts: number }[]>(
        `SELECT id, attempts FROM alert_deliveries d WHERE ${DUE} ORDER BY due_at LIMIT ${AT_ONCE}`,
      );
      if (this.queue.client.status !== 'ready') {
        if (this.config.has('worker')) await Promise.all(due.slice(0, AT_ONCE_HERE).map(({ id }) => this.carryOut(id)));
        return;
      }
      // Bull ignores an id that it has: a delivery is not queued again at every sweep, and again soon if its job got lost.
      const period = Math.floor(Date.now() / QUEUE_AGAIN_MS);
      for (const { id, attempts } of due) await this.queue.add({ id }, { jobId: `${id}.${attempts}.${period}`, removeOnFail: true });
    } catch (error) {
      this.log.warn(`not queued, tried again soon: ${(error as Error).message}`);
    }
  }

  /** One try, unless it is not due, or somebody else makes it. */
  async carryOut(id: string): Promise<void> {
    if (this.stopped) return;
    const work = this.work(id).finally(() => this.running.delete(work));
    this.running.add(work);
    await work;
  }

  private async work(id: string): Promise<void> {
    const claimed = await this.claim(id);
    if (!claimed) return;
    // Not beyond the try itself: a failed one decides when the next is due.
    const lease = setInterval(() => void this.renew(claimed), RENEW_MS);
    try {
      await this.bring(claimed).finally(() => clearInterval(lease));
    } catch (error) {
      await this.putBack(claimed, error as Error);
      return;
    }
    // Whoever has the claim by now: what has arrived is not brought again.
    await this.database.query(`UPDATE alert_deliveries SET state = 'delivered', delivered_at = now(), last_error = NULL WHERE id = $1 AND state <> 'delivered'`, [id]);
    this.store.announce({ alerts: [], deliveries: [id] });
  }

  /** A mail server that looks at what it gets takes its time. */
  private async renew({ deliveryId, attempt }: Claimed): Promise<void> {
    await this.database
      .query(`UPDATE alert_deliveries SET due_at = now() + make_interval(secs => $3) WHERE id = $1 AND attempts = $2 AND state = 'pending'`, [
        deliveryId, attempt, LEASE_SECONDS,
      ])
      .catch(() => undefined /* the next renewal comes before the lease ends */);
  }

  private async claim(id: string): Promise<Claimed | undefined> {
    const [[taken]] = await this.database.query<[{ attempt: number; turn: number }[], number]>(
      `UPDATE alert_deliveries d SET attempts = attempts + 1, due_at = now() + make_interval(secs => $2)
       WHERE id = $1 AND ${DUE} RETURNING attempts AS attempt, attempts - attempts_allowed + ${TRIES} AS turn`,
      [id, LEASE_SECONDS],
    );
    if (!taken) return undefined;
    // From its first try on nothing is added to it: every try says the same.
    const [row] = await this.database.query<(Address & Told & { deliveryId: string })[]>(
      `SELECT d.id AS "deliveryId", h.id, h.kind, h.url, h.addresses, h.secret, h.name AS "channelName", d.news, ${utc('d.created_at')} AS "orderedAt",
         coalesce(told.count, 0) AS count, coalesce(told.alerts, '[]') AS alerts
       FROM alert_deliveries d JOIN alert_channels h ON h.id = d.channel_id LEFT JOIN LATERAL (
         SELECT max(a.count)::integer AS count, jsonb_agg(jsonb_build_object(
             'id', a.id, 'kind', a.kind, 'rule', jsonb_build_object('id', a.rule_id, 'name', a.rule_name),
             'subject', jsonb_build_object('type', a.subject_type, 'id', a.subject_id, 'name', a.subject_name), 'detail', a.detail,
             'at', ${utc(`CASE d.news WHEN 'resolved' THEN a.resolved_at ELSE a.fired_at END`)}
           ) ORDER BY a.id) AS alerts
         FROM (
           SELECT a.*, count(*) OVER () AS count FROM alert_delivery_items i JOIN alerts a ON a.id = i.alert_id
           WHERE i.delivery_id = d.id ORDER BY a.id LIMIT ${MOST_NAMED}
         ) a
       ) told ON true WHERE d.id = $1`,
      [id],
    );
    return row && { ...row, ...taken, message: messageOf(row.deliveryId, row) };
  }

  private async bring({ id, kind, deliveryId, url, addresses, secret, message }: Claimed): Promise<void> {
    if (kind === 'email') {
      await this.mailer.send({ to: addresses ?? [], deliveryId, ...mailOf(message, this.config.PUBLIC_URL) });
      return;
    }
    const opened = secret && this.cipher.open(secret, secretContext(id));
    if (!opened) throw new Error('The secret of the channel cannot be read any more: make a new one');
    await this.webhooks.send({ url: url ?? '', secret: opened, deliveryId, body: JSON.stringify(message) });
  }

  private async putBack({ deliveryId, attempt, turn }: Claimed, error: Error): Promise<void> {
    const pause = this.config.ALERT_RETRY_MS * 2 ** (turn - 1) * (0.75 + Math.random() / 2);
    const [[left]] = await this.database.query<[{ state: string }[], number]>(
      `UPDATE alert_deliveries SET state = CASE WHEN attempts < attempts_allowed THEN 'pending' ELSE 'failed' END, last_error = $3,
         due_at = now() + make_interval(secs => $4)
       WHERE id = $1 AND attempts = $2 AND state = 'pending' RETURNING state`,
      [deliveryId, attempt, error.message.slice(0, LONGEST_ERROR), pause / 1000],
    );
    this.store.announce({ alerts: [], deliveries: [deliveryId] });
    if (left?.state === 'failed') this.log.warn(`delivery ${deliveryId} failed after ${attempt} tries: ${error.message}`);
    if (left?.state !== 'pending' || this.queue.client.status !== 'ready') return;
    await this.queue
      .add({ id: deliveryId }, { jobId: `${deliveryId}.${attempt}`, delay: Math.ceil(pause), removeOnFail: true })
      .catch(() => undefined /* the sweep finds it */);
  }
}

@Processor(DELIVERIES_QUEUE)
export class DeliveryProcessor {
  constructor(private readonly postman: Postman) {}

  @Process({ concurrency: 8 })
  async process(job: Job<{ id: string }>): Promise<void> {
    await this.postman.carryOut(job.data.id);
  }
}
