import { Logger, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Config } from '../config/config';
import { Foundation1700000000001 } from './migrations/0001-foundation';
import { Rights1700000000002 } from './migrations/0002-rights';
import { Sessions1700000000004 } from './migrations/0004-sessions';
import { SecondFactor1700000000005 } from './migrations/0005-second-factor';

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [Config],
      useFactory: (config: Config) => ({
        type: 'postgres' as const,
        url: config.DATABASE_URL,
        migrations: [Foundation1700000000001, Rights1700000000002, Sessions1700000000004, SecondFactor1700000000005],
        migrationsRun: true,
        synchronize: false,
        autoLoadEntities: true,
        poolSize: config.DB_POOL_MAX,
        // Without a listener, a server that stops ends this process.
        poolErrorHandler: (error: Error) => new Logger('Database').warn(`idle connection lost: ${error.message}`),
        extra: {
          min: config.DB_POOL_MIN,
          idleTimeoutMillis: config.DB_POOL_IDLE_MS,
          connectionTimeoutMillis: config.DB_POOL_CONNECT_MS,
        },
      }),
    }),
  ],
})
export class DatabaseModule {}
