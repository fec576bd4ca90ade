import { Logger, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Config } from '../config/config';
import { prepareDatabase } from './owner';

/** The server's own pool, which works with the app role; the owner's work is done before. */
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [Config],
      useFactory: async (config: Config) => {
        const options = await prepareDatabase(config);
        return {
          type: 'postgres' as const,
          url: config.DATABASE_URL,
          synchronize: false,
          autoLoadEntities: true,
          poolSize: config.DB_POOL_MAX,
          // Without a listener, a server that stops ends this process.
          poolErrorHandler: (error: Error) => new Logger('Database').warn(`idle connection lost: ${error.message}`),
          extra: {
            ...(options && { options }),
            min: config.DB_POOL_MIN,
            idleTimeoutMillis: config.DB_POOL_IDLE_MS,
            connectionTimeoutMillis: config.DB_POOL_CONNECT_MS,
          },
        };
      },
    }),
  ],
})
export class DatabaseModule {}
