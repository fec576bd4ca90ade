import type { ActionDefinition, JsonSchema } from './action-definition';

/** What the server takes as one artifact. */
export const MAX_ARTIFACT_BYTES = 64 * 1024 * 1024;
/** Leaves room for what gzip adds to bytes that do not shrink. */
export const MAX_ARCHIVE_BYTES = 60 * 1024 * 1024;

const path: JsonSchema = { type: 'string', minLength: 1, maxLength: 4096 };

const definitions: readonly ActionDefinition[] = [
  {
    name: 'collect_logs',
    description: 'Packs log files of the machine; the .tar.gz comes back as an artifact',
    idempotent: true,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      properties: {
        paths: {
          type: 'array',
          minItems: 1,
          maxItems: 100,
          items: path,
          description: 'Files, and folders with all that is in them; without it the usual folders of the platform',
        },
        maxBytes: {
          type: 'integer',
          minimum: 1024,
          maximum: MAX_ARCHIVE_BYTES,
          default: MAX_ARCHIVE_BYTES,
          description: 'Size before compression; newest files first, what does not fit is skipped',
        },
        since: {
          type: 'string',
          pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?(Z|[+-]\\d{2}:\\d{2})$',
          description: 'Only files changed at this time or later (ISO 8601, with a time zone)',
        },
      },
    },
  },
  {
    name: 'emergency_shutdown',
    description: 'Shuts the machine down; send it with priority 10. Only where the machine’s own policy allows it',
    idempotent: false,
    destructive: true,
    payload: {
      type: 'object',
      additionalProperties: false,
      properties: {
        delaySeconds: {
          type: 'integer',
          minimum: 0,
          maximum: 86_400,
          default: 0,
          description: 'At least 10 s on Windows and full minutes elsewhere, so that the result arrives first',
        },
        reason: {
          type: 'string',
          minLength: 1,
          maxLength: 200,
          pattern: '^[^\\p{Cc}-][^\\p{Cc}]*$',
          description: 'Shown to whoever is logged in on the machine',
        },
        dryRun: { type: 'boolean', default: false, description: 'Answer with the command line and do nothing' },
      },
    },
  },
  {
    name: 'file_get',
    description: 'Fetches a file of the machine; it comes back as an artifact',
    idempotent: true,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      required: ['path'],
      properties: {
        path,
        maxBytes: { type: 'integer', minimum: 1, maximum: MAX_ARTIFACT_BYTES, default: MAX_ARTIFACT_BYTES },
      },
    },
  },
  {
    name: 'file_put',
    description: 'Writes a file on the machine, all of it or nothing, in a folder that the machine’s own policy names',
    idempotent: true,
    destructive: true,
    payload: {
      type: 'object',
      additionalProperties: false,
      required: ['path', 'content'],
      properties: {
        path,
        content: { type: 'string', maxLength: 1_000_000, writeOnly: true },
        encoding: { type: 'string', enum: ['utf8', 'base64'], default: 'utf8' },
        mode: {
          type: 'string',
          pattern: '^[0-7]{3}$',
          description: 'Octal, such as 644; without it a new file gets 600 and an old one keeps its own',
        },
        overwrite: { type: 'boolean', default: false, description: 'Replace a file that has another content' },
      },
    },
  },
  {
    name: 'noop',
    description: 'Does nothing and answers; proves that the whole line works',
    idempotent: true,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      properties: {
        delayMs: { type: 'integer', minimum: 0, maximum: 3_600_000, description: 'Wait this long before the answer' },
        echo: { description: 'Any value, given back in the result' },
      },
    },
  },
  {
    name: 'print',
    description: 'Prints a file of the machine; the result has the spooler’s job id and state',
    idempotent: false,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      anyOf: [{ required: ['filePath'] }, { required: ['file'] }],
      properties: {
        filePath: path,
        file: { ...path, description: 'The same as filePath' },
        printer: { type: 'string', minLength: 1, maxLength: 127, pattern: '^[^\\s/#-][^\\s/#]*$' },
        copies: { type: 'integer', minimum: 1, maximum: 999, default: 1 },
        options: {
          type: 'object',
          additionalProperties: false,
          properties: { duplex: { type: 'boolean' } },
        },
      },
    },
  },
  {
    name: 'restart_service',
    description: 'Restarts a service that the machine’s own policy allows',
    idempotent: false,
    destructive: true,
    payload: {
      type: 'object',
      additionalProperties: false,
      required: ['service'],
      properties: {
        service: { type: 'string', maxLength: 256, pattern: '^[A-Za-z0-9_][A-Za-z0-9_@.:-]*$' },
      },
    },
  },
  {
    name: 'screenshot',
    description: 'Takes a picture of the screen; it comes back as an artifact',
    idempotent: true,
    destructive: false,
    payload: {
      type: 'object',
      additionalProperties: false,
      properties: { display: { type: 'string', maxLength: 64, pattern: '^:?[\\w.:-]+$' } },
    },
  },
  {
    name: 'shell',
    description: 'Runs a program that the machine’s own policy allows, without a shell in between',
    idempotent: false,
    destructive: true,
    payload: {
      type: 'object',
      additionalProperties: false,
      required: ['program'],
      properties: {
        program: path,
        args: { type: 'array', maxItems: 1000, items: { type: 'string', maxLength: 32_768 } },
        cwd: path,
      },
    },
  },
  {
    name: 'system_info',
    description: 'Host name, platform, processors, memory, uptime',
    idempotent: true,
    destructive: false,
    payload: { type: 'object', additionalProperties: false, properties: {} },
  },
];

export const ACTIONS: Readonly<Record<string, ActionDefinition>> = Object.fromEntries(
  definitions.map((action) => [action.name, action]),
);
