import { plainToInstance, Type } from 'class-transformer';
import { faultOfKeys } from '../crypto/keys';
import { REDIS_ADDRESS } from '../queue/redis';
import { type Role, ROLES } from '../access/roles';
import {
  IsEmail, IsInt, IsNumber, IsOptional, IsString, Matches, Max, MaxLength, Min, MinLength, ValidateBy, ValidateIf, validateSync,
} from 'class-validator';
import ipaddr from 'ipaddr.js';

const HTTPS_OR_LOOPBACK = /^(https:\/\/[^\s/?#@]+|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(\/[^\s?#]*)?$/;
/** Settings of the sign-in by OpenID Connect that stand or fall together. */
const ForOpenId = (name: string): PropertyDecorator => (target, property) => {
  ValidateIf((config: Config) => [config.OIDC_ISSUER, config.OIDC_CLIENT_ID, config.OIDC_CLIENT_SECRET].some((value) => value !== undefined))(target, property);
  IsString({ message: `${name} must be set: OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET go together` })(target, property);
};

const ForTls = (name: string): PropertyDecorator => (target, property) => {
  ValidateIf((config: Config) => config.TLS_CERT !== undefined || config.TLS_KEY !== undefined)(target, property);
  IsString({ message: `${name} must be set: TLS_CERT and TLS_KEY go together` })(target, property);
};

const ForMail = (name: string): PropertyDecorator => (target, property) => {
  ValidateIf((config: Config) => config.SMTP_URL !== undefined || config.MAIL_FROM !== undefined)(target, property);
  IsString({ message: `${name} must be set: SMTP_URL and MAIL_FROM go together` })(target, property);
};

/** Every setting of the server, read once from the environment. Nothing else reads the environment. */
export class Config {
  @Matches(/^postgres(ql)?:\/\/.+/, { message: 'DATABASE_URL must be a postgresql:// address' })
  DATABASE_URL: string;

  /** The owner of the tables, for migrations and grants, when DATABASE_URL is a plain login; else DATABASE_URL does both. */
  @IsOptional()
  @Matches(/^postgres(ql)?:\/\/.+/, { message: 'DATABASE_OWNER_URL must be a postgresql:// address' })
  DATABASE_OWNER_URL?: string;

  @Matches(REDIS_ADDRESS, { message: 'REDIS_URL must be a redis://, redis-sentinel:// or redis-cluster:// address (or set REDIS_HOST and REDIS_PORT)' })
  REDIS_URL: string;

  /** RabbitMQ between the processes; without it Redis carries the news. */
  @IsOptional()
  @Matches(/^amqps?:\/\/.+/, { message: 'BUS_URL must be an amqp:// or amqps:// address' })
  BUS_URL?: string;

  @MinLength(32, { message: 'JWT_SECRET must have at least 32 characters' })
  JWT_SECRET: string;

  /** Keys that seal the secrets in the database, `number:base64 of 32 bytes`, comma-separated: the highest number seals, all of them open. */
  @ValidateBy({ name: 'keys', validator: { validate: (text) => faultOfKeys(text) === undefined, defaultMessage: (args) => faultOfKeys(args?.value) ?? '' } })
  SECRETS_KEYS = '';

  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(65535)
  PORT = 3000;

  @IsString()
  HOST = '0.0.0.0';

  /** What this process does, comma-separated: see `Role`. */
  @Matches(new RegExp(`^(${ROLES.join('|')})(,(${ROLES.join('|')}))*$`), { message: `ROLES must be some of ${ROLES.join(',')}, comma-separated` })
  ROLES: string = ROLES.join();

  /** Addresses or networks of reverse proxies whose `X-Forwarded-For` is believed, comma-separated; none by default. */
  @Matches(/^([0-9a-f.:/]+(,[0-9a-f.:/]+)*)?$/i, { message: 'TRUST_PROXY must be addresses or networks, comma-separated' })
  TRUST_PROXY = '';

  /** PEM files of a certificate with its chain, and of its key: then the server speaks HTTPS. They are read again when they change. */
  @ForTls('TLS_CERT') TLS_CERT?: string;
  @ForTls('TLS_KEY') TLS_KEY?: string;

  /** Origins besides its own whose pages may call the API with a bearer token, comma-separated; none by default. */
  @Matches(/^(https?:\/\/[^\s,/?#@]+(,https?:\/\/[^\s,/?#@]+)*)?$/, { message: 'CORS_ORIGINS must be origins such as https://console.example.com, comma-separated' })
  CORS_ORIGINS = '';

  /** Most calls a minute of one person's session, token or agent's key, and from one address where nobody is known; 0 is no limit. */
  @Type(() => Number) @IsInt() @Min(0) RATE_LIMIT_CALLER = 600_000;
  @Type(() => Number) @IsInt() @Min(0) RATE_LIMIT_ADDRESS = 6_000;
  /** Milliseconds after which a caller who has no answer is told so. */
  @Type(() => Number) @IsInt() @Min(100) ANSWER_MS = 30_000;

  @IsOptional()
  @IsEmail({ require_tld: false })
  ADMIN_EMAIL?: string;

  @IsOptional()
  @MinLength(12, { message: 'ADMIN_PASSWORD must have at least 12 characters' })
  ADMIN_PASSWORD?: string;

  /** Connections to PostgreSQL: most, fewest, milliseconds until an idle one is closed, milliseconds to wait for one. */
  @Type(() => Number) @IsInt() @Min(1) DB_POOL_MAX = 20;
  @Type(() => Number) @IsInt() @Min(0) DB_POOL_MIN = 5;
  /** Besides those, the connections that commands are taken in, handed out and answered by. */
  @Type(() => Number) @IsInt() @Min(2) DB_HOT_POOL_MAX = 8;
  /** Milliseconds without an answer after which a connection counts as lost; of those for commands, and of the others. */
  @Type(() => Number) @IsInt() @Min(100) DB_HOT_QUERY_MS = 10_000;
  @Type(() => Number) @IsInt() @Min(100) DB_QUERY_MS = 30_000;
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

  /** Sign-in by OpenID Connect, on when these three are set. The issuer is https, or http on this machine. */
  @ForOpenId('OIDC_ISSUER')
  @Matches(HTTPS_OR_LOOPBACK, { message: 'OIDC_ISSUER must be an https:// address (http:// on localhost only), without query' })
  OIDC_ISSUER?: string;

  @ForOpenId('OIDC_CLIENT_ID')
  OIDC_CLIENT_ID?: string;

  @ForOpenId('OIDC_CLIENT_SECRET')
  OIDC_CLIENT_SECRET?: string;

  /** Where the provider sends people back to; the address that they came with, and `/api/auth/openid/callback`, by default. */
  @IsOptional()
  @Matches(/^https?:\/\/[^\s?#]+\/api\/auth\/openid\/callback$/, { message: 'OIDC_REDIRECT_URL must be an address that ends with /api/auth/openid/callback' })
  OIDC_REDIRECT_URL?: string;

  @Matches(/^[\w-]+( [\w-]+)*$/, { message: 'OIDC_SCOPES must be words with single spaces between them' })
  OIDC_SCOPES = 'openid profile email';

  /** The claim that lists a person's groups. */
  @IsString()
  OIDC_GROUPS_CLAIM = 'groups';

  /** JSON: `{ "<group>": "<role>" }`. */
  @ValidateBy({ name: 'roleMap', validator: { validate: isRoleMap, defaultMessage: () => 'OIDC_ROLE_MAP must be JSON like {"group": "role"}' } })
  OIDC_ROLE_MAP = '{}';

  /** What the button to sign in says. */
  @MaxLength(100)
  OIDC_NAME = 'OpenID Connect';

  /** Days after its end that a command is kept, and that its output and its files are; 0 keeps them as long as the command, and commands for ever. */
  @Type(() => Number) @IsInt() @Min(0) COMMAND_RETENTION_DAYS = 0;
  @Type(() => Number) @IsInt() @Min(0) OUTPUT_RETENTION_DAYS = 0;
  @Type(() => Number) @IsInt() @Min(0) ARTIFACT_RETENTION_DAYS = 0;

  /** Networks that webhooks of alerts may reach besides public addresses, also without TLS: CIDRs, comma-separated; none by default. */
  @ValidateBy({ name: 'networks', validator: { validate: areNetworks, defaultMessage: () => 'ALERT_WEBHOOK_ALLOW must be networks such as 10.1.0.0/16, comma-separated' } })
  ALERT_WEBHOOK_ALLOW = '';
  /** Milliseconds between the first try of a delivery and the second; each further pause is twice as long. */
  @Type(() => Number) @IsInt() @Min(10) ALERT_RETRY_MS = 10_000;
  /** Milliseconds within which what one rule has to tell one channel again is gathered into one message. */
  @Type(() => Number) @IsInt() @Min(0) @Max(86_400_000) ALERT_GATHER_MS = 60_000;

  /** The mail server for alerts, and the sender; without both there is no e-mail. */
  @ForMail('SMTP_URL')
  @Matches(/^smtps?:\/\/[^\s/]+(\/\S*)?$/, { message: 'SMTP_URL must be an smtp:// or smtps:// address' })
  SMTP_URL?: string;

  @ForMail('MAIL_FROM')
  @Matches(/^[^\r\n]*[^\s@<>]+@[^\s@<>]+>?$/, { message: 'MAIL_FROM must be an address such as Gwanje <gwanje@example.com>' })
  MAIL_FROM?: string;

  /** Where people reach the console: for the links in mails. */
  @IsOptional()
  @Matches(/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/, { message: 'PUBLIC_URL must be an address such as https://console.example.com' })
  PUBLIC_URL?: string;

  @IsString()
  ARTIFACTS_DIR = '.gwanje/artifacts';

  /**
   * A bucket of an S3-compatible store that keeps artifacts instead of ARTIFACTS_DIR, the address of a store that is not Amazon's, and what
   * keys begin with. Nothing else may keep objects under it. Credentials are found as all programs on the AWS SDK find theirs.
   */
  @ValidateIf((config: Config) => [config.ARTIFACTS_S3_BUCKET, config.ARTIFACTS_S3_ENDPOINT, config.ARTIFACTS_S3_REGION, config.ARTIFACTS_S3_PREFIX].some(Boolean))
  @Matches(/^[\w.-]{3,63}$/, { message: 'ARTIFACTS_S3_BUCKET must be the name of a bucket: the other ARTIFACTS_S3_ settings are about it' })
  ARTIFACTS_S3_BUCKET?: string;

  @IsOptional()
  @Matches(/^https?:\/\/[^\s/?#@]+\/?$/, { message: 'ARTIFACTS_S3_ENDPOINT must be an address such as https://minio.example.com:9000' })
  ARTIFACTS_S3_ENDPOINT?: string;

  @ValidateIf((config: Config) => Boolean(config.ARTIFACTS_S3_REGION ?? (config.ARTIFACTS_S3_BUCKET && !config.ARTIFACTS_S3_ENDPOINT)))
  @Matches(/^[\w-]+$/, { message: 'ARTIFACTS_S3_REGION must be a region such as eu-central-1, or ARTIFACTS_S3_ENDPOINT must be set' })
  ARTIFACTS_S3_REGION?: string;

  @Matches(/^([\w.-]+\/)*$/, { message: 'ARTIFACTS_S3_PREFIX must be names with a slash after each, such as gwanje/artifacts/' })
  ARTIFACTS_S3_PREFIX = '';

  /**
   * OpenTelemetry traces, sent as OTLP over HTTP (JSON) to `/v1/traces` of this address; none without it. The part of the traces begun here
   * that is recorded, 0 to 1, and the milliseconds for which spans are gathered. The names, and all that its library reads besides, are OpenTelemetry's.
   */
  @IsOptional()
  @Matches(/^https?:\/\/[^\s?#]+$/, { message: 'OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// address, without query' })
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  @IsString() OTEL_SERVICE_NAME = 'gwanje';
  @Type(() => Number) @IsNumber() @Min(0) @Max(1) OTEL_TRACES_SAMPLER_ARG = 1;
  @Type(() => Number) @IsInt() @Min(1) OTEL_BSP_SCHEDULE_DELAY = 5_000;

  /** Folder of the built console; nothing is served when it does not exist. */
  @IsString()
  CONSOLE_DIR = 'dist/apps/admin/browser';

  /** The agent as `npm run build:agent` wrote it, with `install.sh` beside it; machines cannot be installed from here when it does not exist. */
  @IsString()
  AGENT_BUNDLE = 'dist/agent/agent.js';

  @Matches(/^(fatal|error|warn|info|debug|trace|silent)$/)
  LOG_LEVEL = 'info';

  @IsString()
  NODE_ENV = 'development';

  has(role: Role): boolean {
    return this.ROLES.split(',').includes(role);
  }
}

function isRoleMap(text: unknown): boolean {
  try {
    const map: unknown = JSON.parse(String(text));
    return typeof map === 'object' && map !== null && !Array.isArray(map) && Object.values(map).every((role) => typeof role === 'string');
  } catch {
    return false;
  }
}

function areNetworks(text: unknown): boolean {
  return text === '' || String(text).split(',').every((network) => ipaddr.isValidCIDR(network));
}

/** Reads and checks the settings; throws one Error that names everything that is wrong. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const known = Object.keys(new Config()).concat(
    'DATABASE_URL', 'DATABASE_OWNER_URL', 'REDIS_URL', 'BUS_URL', 'TLS_CERT', 'TLS_KEY', 'JWT_SECRET', 'ADMIN_EMAIL', 'ADMIN_PASSWORD', 'AUDIT_SIGNING_KEY', 'AUDIT_PREVIOUS_KEY_FILE',
    'OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_REDIRECT_URL', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'SMTP_URL', 'MAIL_FROM', 'PUBLIC_URL',
    'ARTIFACTS_S3_BUCKET', 'ARTIFACTS_S3_ENDPOINT', 'ARTIFACTS_S3_REGION',
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
