import { Global, Logger, Module } from '@nestjs/common';
import { Socket } from 'node:net';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Config } from '../config/config';
import { HotDatabase } from './hot-database';
import { OpenSockets } from './open-sockets';
import { SteadyClient } from './steady-client';
import { prepareDatabase } from './owner';

/** The server's end of a connection whose other end is gone without a word holds no lock for longer than that. */
const withoutIdleLocks = (options: string | undefined, ms: number): string => `${options ?? ''} -c idle_in_transaction_session_timeout=${ms}`;

const CONNECTION_OPTIONS = Symbol('the options of a connection once the owner has done their work');

@Module({
  providers: [OpenSockets, { provide: CONNECTION_OPTIONS, inject: [Config], useFactory: prepareDatabase }],
  exports: [OpenSockets, CONNECTION_OPTIONS],
})
class OwnerModule {}

/** The server's own pools, which work with the app role; the owner's work is done before. */
@Global()
@Module({
  imports: [
    OwnerModule,
    TypeOrmModule.forRootAsync({
      imports: [OwnerModule],
      inject: [Config, OpenSockets, CONNECTION_OPTIONS],
      useFactory: (config: Config, sockets: OpenSockets, options?: string) => {
        return {
          type: 'postgres' as const,
          url: config.DATABASE_URL,
          synchronize: false,
          autoLoadEntities: true,
          poolSize: config.DB_POOL_MAX,
          // Without a listener, a server that stops ends this process.
          poolErrorHandler: (error: Error) => new Logger('Database').warn(`idle connection lost: ${error.message}`),
          extra: {
            options: withoutIdleLocks(options, config.DB_QUERY_MS),
            query_timeout: config.DB_QUERY_MS,
            Client: SteadyClient,
            stream: () => sockets.add(new Socket(), config.DB_QUERY_MS),
            min: config.DB_POOL_MIN,
            idleTimeoutMillis: config.DB_POOL_IDLE_MS,
            connectionTimeoutMillis: config.DB_POOL_CONNECT_MS,
          },
        };
      },
    }),
  ],
  providers: [
    {
      provide: HotDatabase,
      inject: [Config, OpenSockets, CONNECTION_OPTIONS],
      useFactory: (config: Config, sockets: OpenSockets, options?: string) =>
        new HotDatabase(config.DATABASE_URL, sockets, {
          max: config.DB_HOT_POOL_MAX, connectMs: config.DB_POOL_CONNECT_MS, queryMs: config.DB_HOT_QUERY_MS,
          options: withoutIdleLocks(options, config.DB_HOT_QUERY_MS),
        }),
    },
  ],
  exports: [HotDatabase],
})
export class DatabaseModule {}
