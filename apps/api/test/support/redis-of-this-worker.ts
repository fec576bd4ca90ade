/** The address of the Redis that the test files of this worker have, one after the other. */
export const redisOfThisWorker = (): string => process.env['TEST_REDIS_URLS']?.split(',')[Number(process.env['JEST_WORKER_ID'] ?? '1') - 1] ?? '';
