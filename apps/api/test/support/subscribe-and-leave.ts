import { connectRedis } from '../../src/core/queue/redis';

/** As the library does after a reconnection: nobody hears what becomes of the subscription. A refusal that is not heard ends the process. */
const redis = connectRedis('redis://127.0.0.1:1', 'leaving', { enableOfflineQueue: true, maxRetriesPerRequest: null });
void redis.psubscribe('news*');
redis.once('end', () => setImmediate(() => process.stdout.write('left\n')));
redis.disconnect();
