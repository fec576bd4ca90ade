import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

/** Owns how log lines look: one readable line on a terminal, JSON elsewhere in production; it must never hold a key. */
export class AgentLog implements LoggerService {
  private readonly pino: Logger;

  constructor() {
    const json = process.env.NODE_ENV === 'production' || !process.stdout.isTTY;
    const options = { base: null, level: process.env.LOG_LEVEL ?? 'info' };
    // Who reads it may end before the agent does. Pino's own way to standard output would then hold up the exit for ever.
    process.stdout.on('error', () => undefined);
    this.pino = json
      ? pino(options, process.stdout)
      : pino(options, pretty({ sync: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'context' }));
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.pino.info(...line(message, rest));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.pino.warn(...line(message, rest));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.pino.error(...line(message, rest));
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.pino.fatal(...line(message, rest));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.pino.debug(...line(message, rest));
  }
}

/** Nest gives its context name as the last word. */
function line(message: unknown, rest: unknown[]): [object, string] {
  const context = rest.at(-1);
  const text = message instanceof Error ? (message.stack ?? message.message) : String(message);
  return [typeof context === 'string' ? { context } : {}, text];
}
