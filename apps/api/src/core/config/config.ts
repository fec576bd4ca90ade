import { plainToInstance, Type } from 'class-transformer';
import { IsEmail, IsInt, IsOptional, IsString, Matches, Max, Min, MinLength, validateSync } from 'class-validator';

/** Every setting of the server, read once from the environment. Nothing else reads the environment. */
export class Config {
  @Matches(/^postgres(ql)?:\/\/.+/, { message: 'DATABASE_URL must be a postgresql:// address' })
  DATABASE_URL: string;

  /** The owner of the tables, for migrations and grants, when DATABASE_URL is a plain login; else DATABASE_URL does both. */
  @IsOptional()
  @Matches(/^postgres(ql)?:\/\/.+/, { message: 'DATABASE_OWNER_URL must be a postgresql:// address' })
  DATABASE_OWNER_URL?: string;

  @Matches(/^rediss?:\/\/.+/, { message: 'REDIS_URL must be a redis:// address (or set REDIS_HOST and REDIS_PORT)' })
  REDIS_URL: string;

  @MinLength(32, { message: 'JWT_SECRET must have at least 32 characters' })
  JWT_SECRET: string;

  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(65535)
  PORT = 3000;

  @IsString()
  HOST = '0.0.0.0';

  /** Addresses or networks of reverse proxies whose `X-Forwarded-For` is believed, comma-separated; none by default. */
  @Matches(/^([0-9a-f.:/]+(,[0-9a-f.:/]+)*)?$/i, { message: 'TRUST_PROXY must be addresses or networks, comma-separated' })
  TRUST_PROXY = '';

  @IsOptional()
  @IsEmail({ require_tld: false })
  ADMIN_EMAIL?: string;

  @IsOptional()
  @MinLength(12, { message: 'ADMIN_PASSWORD must have at least 12 characters' })
  ADMIN_PASSWORD?: string;

  /** Connections to PostgreSQL: most, fewest, milliseconds until an idle one is closed, milliseconds to wait for one. */
  @Type(() => Number) @IsInt() @Min(1) DB_POOL_MAX = 20;
  @Type(() => Number) @IsInt() @Min(0) DB_POOL_MIN = 5;
  @Type(() => Number) @IsInt() @Min(0) DB_POOL_IDLE_MS = 30_000;
  @Type(() => Number) @IsInt() @Min(1) DB_POOL_CONNECT_MS = 2_000;

  /** Milliseconds between two rounds of the sweeper. */
  @Type(() => Number) @IsInt() @Min(50) SWEEP_MS = 1_000;

  /** The Ed25519 key that seals the audit log: PKCS#8 PEM, or base64 of it. Without it AUDIT_KEY_FILE is used, and made if it is missing. */
  @IsOptional() @IsString() AUDIT_SIGNING_KEY?: string;
  @IsString() AUDIT_KEY_FILE = '.gwanje/audit-key.pem';
  /** The key used before, so that it can vouch for a new one. */
  @IsOptional() @IsString() AUDIT_PREVIOUS_KEY_FILE?: string;
  /** Milliseconds between two rounds of the sealer. */
  @Type(() => Number) @IsInt() @Min(10) AUDIT_SEAL_MS = 1_000;
  /** Sealed audit rows older than this are dropped; 0 keeps them all. */
  @Type(() => Number) @IsInt() @Min(0) AUDIT_RETENTION_DAYS = 0;

  @IsString()
  ARTIFACTS_DIR = '.gwanje/artifacts';

  /** Folder of the built console; nothing is served when it does not exist. */
  @IsString()
  CONSOLE_DIR = 'dist/apps/admin/browser';

  @Matches(/^(fatal|error|warn|info|debug|trace|silent)$/)
  LOG_LEVEL = 'info';

  @IsString()
  NODE_ENV = 'development';
}

/** Reads and checks the settings; throws one Error that names everything that is wrong. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const known = Object.keys(new Config()).concat(
    'DATABASE_URL', 'DATABASE_OWNER_URL', 'REDIS_URL', 'JWT_SECRET', 'ADMIN_EMAIL', 'ADMIN_PASSWORD', 'AUDIT_SIGNING_KEY', 'AUDIT_PREVIOUS_KEY_FILE',
  );
  const given = Object.fromEntries(known.filter((key) => env[key]).map((key) => [key, env[key]]));
  if (!given['REDIS_URL'] && env['REDIS_HOST']) {
    given['REDIS_URL'] = `redis://${env['REDIS_HOST']}:${env['REDIS_PORT'] ?? '6379'}`;
  }
  const config = plainToInstance(Config, given, { exposeDefaultValues: true });
  const faults = validateSync(config).flatMap((error) => Object.values(error.constraints ?? {}));
  if (faults.length > 0) throw new Error(`The configuration is not valid:\n  - ${faults.join('\n  - ')}`);
  return config;
}
