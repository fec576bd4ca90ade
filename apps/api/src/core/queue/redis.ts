import type { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import Redis, { AbstractConnector, Cluster, type RedisOptions } from 'ioredis';

/** Keys of Gwanje's own in Redis start with this. */
export const KEY_PREFIX = 'control_system:';

/** One Redis, one that sentinels watch over (they name its master), or a cluster, of which some nodes are named. */
export const REDIS_ADDRESS = /^(rediss?:\/\/.+|rediss?-sentinel:\/\/[^/]+\/[\w.-]+(\/\d+)?|rediss?-cluster:\/\/[^/]+\/?)$/;

/** For connections whose answers somebody waits for: milliseconds after which there will be none. */
export const ANSWER_MS = 2_000;

const PING_MS = 2_500;

interface Connector {
  stream?: Socket;
  disconnect: (this: Connector) => void;
}

// A TLS stream that is ended amid its handshake with a server it does not trust has two errors in Node 24, and the library hears the first: the
// second would end the process. Here, because no option reaches the connections that a cluster or a sentinel's client makes by itself.
const everyConnector = AbstractConnector.prototype as unknown as Connector;
const { disconnect } = everyConnector;
everyConnector.disconnect = function () {
  this.stream?.on('error', () => undefined);
  disconnect.call(this);
};

/**
 * A connection that fails fast while Redis is away, and never ends the process. It is made anew when no answer to a ping comes within
 * `patienceMs`: it may be half open.
 */
export function connectRedis(address: string, name: string, options: RedisOptions = {}, patienceMs = ANSWER_MS): Redis {
  const settings: RedisOptions = {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    connectTimeout: ANSWER_MS,
    retryStrategy: (times) => Math.min(100 * times, 1_000),
    ...options,
  };
  const redis = open(address, settings);
  const log = new Logger(`Redis:${name}`);
  // Who only listens, or has nothing to ask for a while, would not find out.
  const pings = setInterval(() => {
    if (redis.status !== 'ready') return;
    const deadline = setTimeout(() => redis.disconnect(true), patienceMs).unref();
    redis.ping().then(() => clearTimeout(deadline), () => clearTimeout(deadline));
  }, PING_MS).unref();
  redis.once('end', () => clearInterval(pings));
  hearRefusals(redis);
  let away = false;
  redis.on('error', (error: Error) => {
    if (!away) log.warn(`away: ${error.message}`);
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.log('back');
    away = false;
  });
  return redis;
}

/**
 * After a reconnection the library asks by itself for what the connection had: a refusal would be heard by nobody, and end the process. A
 * connection that was refused it is made anew.
 */
function hearRefusals(redis: Redis): void {
  for (const name of ['select', 'subscribe', 'psubscribe'] as const) {
    const ask = redis[name].bind(redis) as (...args: unknown[]) => Promise<unknown>;
    const askAndHear = (...args: unknown[]): Promise<unknown> => {
      const answer = ask(...args);
      answer.catch(() => redis.status === 'ready' && redis.disconnect(true));
      return answer;
    };
    Object.assign(redis, { [name]: askAndHear });
  }
}

export const isCluster = (address: string): boolean => /^rediss?-cluster:/.test(address);

/**
 * `redis-sentinel://[:password@]host:port,host:port/<name of the master>[/<database>]` and `redis-cluster://[:password@]host:port,host:port`, with
 * `rediss-` for TLS. The user and password are those of Redis itself.
 */
function open(address: string, settings: RedisOptions): Redis {
  const [, tls, kind, login, hosts = '', master, database] = /^redis(s?)-(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/]+)(?:\/([\w.-]+))?(?:\/(\d+))?/.exec(address) ?? [];
  if (!kind) return new Redis(address, settings);
  const nodes = hosts.split(',').map((host) => {
    const { hostname, port } = new URL(`redis://${host}`);
    return { host: hostname, port: Number(port || (kind === 'sentinel' ? 26379 : 6379)) };
  });
  const [username, password] = (login ?? '').split(':').map(decodeURIComponent);
  const access = { ...(username && { username }), ...(password && { password }), ...(tls && { tls: {} }) };
  if (kind === 'sentinel') {
    return new Redis({
      ...settings, ...access, sentinels: nodes, name: master ?? '', db: Number(database ?? 0),
      sentinelRetryStrategy: (times) => Math.min(100 * times, 1_000), ...(tls && { enableTLSForSentinelMode: true }),
    });
  }
  const { enableOfflineQueue = false, retryStrategy: _, ...redisOptions } = settings;
  const cluster = new Cluster(nodes, {
    redisOptions: { ...redisOptions, ...access },
    enableOfflineQueue,
    slotsRefreshTimeout: ANSWER_MS,
    clusterRetryStrategy: (times) => Math.min(100 * times, 1_000),
  });
  // It has every command that is used here; only its type is another.
  return cluster as unknown as Redis;
}
