import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config/config';

type Level = 'info' | 'warn' | 'error' | 'fatal' | 'debug' | 'trace';

/** The server's log: JSON lines in production, readable lines elsewhere. It never sees bodies, queries or headers. */
export class Log implements LoggerService {
  private readonly pino: Logger;

  constructor({ NODE_ENV, LOG_LEVEL }: Pick<Config, 'NODE_ENV' | 'LOG_LEVEL'>, destination?: NodeJS.WritableStream) {
    const options = { base: null, level: LOG_LEVEL, serializers: { err: describeError } };
    const readable = (): NodeJS.WritableStream => pretty({ sync: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'context' });
    const stream = destination ?? (NODE_ENV === 'production' ? pino.destination({ dest: 1, sync: false, minLength: 4_096, periodicFlush: 250 }) : readable());
    this.pino = pino(options, stream);
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  /** Nest gives its context name as the last word; fields may come first, as pino takes them, with the text behind them. */
  private write(level: Level, message: unknown, rest: unknown[]): void {
    const context = rest.length > 0 ? rest.at(-1) : undefined;
    const fields = typeof context === 'string' ? { context } : {};
    if (message instanceof Error) this.pino[level]({ ...fields, err: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.pino[level]({ ...fields, ...message }, rest.length > 1 ? String(rest[0]) : '');
    else this.pino[level](fields, String(message));
  }
}

/** Only what an error is: database drivers hang the query's parameters on theirs, and parameters are what people sent. */
function describeError(error: Error & { code?: string }): object {
  return { type: error.name, message: error.message, ...(error.code && { code: error.code }), stack: error.stack };
}
