import { Logger } from '@nestjs/common';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/config';

/** Looked at so often, by time of change: file events are lost where files are mounted or linked. */
const LOOK_MS = 2_000;
const log = new Logger('Tls');

interface Identity {
  cert: Buffer;
  key: Buffer;
}

/** The certificate and key of TLS_CERT and TLS_KEY, or null without them. Throws an Error that names the file that cannot be used. */
export function readIdentity({ TLS_CERT, TLS_KEY }: Config): Identity | null {
  if (!TLS_CERT || !TLS_KEY) return null;
  const identity = { cert: read('TLS_CERT', TLS_CERT), key: read('TLS_KEY', TLS_KEY) };
  try {
    createSecureContext(identity);
  } catch (error) {
    throw new Error(`TLS_CERT and TLS_KEY do not make a pair that can be used: ${(error as Error).message}`);
  }
  return identity;
}

/** New connections get the new certificate once both files fit; open ones go on. Ends with the server. */
export function followIdentity(server: Server, config: Config): void {
  const paths = [config.TLS_CERT, config.TLS_KEY].filter((path) => path !== undefined);
  const renew = (): void => {
    try {
      const identity = readIdentity(config);
      if (identity) server.setSecureContext({ ...identity, minVersion: 'TLSv1.2' });
      log.log('the certificate was renewed');
    } catch (error) {
      log.warn(`the certificate in use stays: ${(error as Error).message}`);
    }
  };
  for (const path of paths) watchFile(path, { interval: LOOK_MS, persistent: false }, renew);
  server.once('close', () => paths.forEach((path) => unwatchFile(path, renew)));
}

function read(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${name} cannot be read: ${(error as Error).message}`);
  }
}
