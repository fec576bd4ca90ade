import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { PayloadSecrets } from './commands/payload-secrets.service';
import type { Config } from './core/config/config';
import { Cipher } from './core/crypto/cipher';
import { JWT_KEY, LOST } from './core/crypto/keys';
import { SealedSecrets } from './core/crypto/sealed-secrets';

const USAGE = 'npm run secrets [-- --reseal | --forget-lost]';

/**
 * `npm run secrets`: tells under which keys the secrets in the database are sealed; true when all are under the present one. With
 * `--reseal` it makes that so first. With `--forget-lost` it gives up what no key opens.
 */
export async function tendSecrets(config: Config, args: readonly string[], say: (line: string) => void = console.log): Promise<boolean> {
  const unknown = args.filter((arg) => arg !== '--reseal' && arg !== '--forget-lost');
  if (unknown.length > 0 || args.length > 1) throw new Error(USAGE);
  const database = new DataSource({ type: 'postgres', url: config.DATABASE_OWNER_URL ?? config.DATABASE_URL, poolSize: 3 });
  await database.initialize();
  try {
    const cipher = new Cipher(config);
    const secrets = new SealedSecrets(cipher, database);
    const payloads = new PayloadSecrets(cipher);
    if (args[0] === '--forget-lost') say(`${await secrets.forgetLost()} given up`);
    await secrets.requireKeys();
    if (args[0] === '--reseal') say(`${(await payloads.sealOld(database)) + (await secrets.reseal())} sealed anew`);
    const holdings = await secrets.holdings();
    for (const { table, number, count } of holdings) say(`${table}: ${count} ${stateOf(number, cipher)}`);
    const others = holdings.filter(({ number }) => number !== cipher.current && number !== LOST);
    const clear = await payloads.countOld(database);
    if (clear > 0) say(`commands: ${clear} in clear, from an early version`);
    const isDone = others.length === 0 && clear === 0;
    say(isDone ? `Nothing needs another key than ${cipher.current}.` : 'Other keys are still needed: npm run secrets -- --reseal');
    return isDone;
  } finally {
    await database.destroy();
  }
}

function stateOf(number: number, cipher: Cipher): string {
  if (number === LOST) return 'given up';
  const name = number === JWT_KEY ? `under key ${JWT_KEY}, made of JWT_SECRET` : `under key ${number}`;
  return cipher.has(number) ? name : `${name}, which is not here`;
}
