export const REDACTED = '[redacted]';

/** Long enough to mean a secret wherever they stand in a name: `newPassword`, `x-api-key`, `refreshtoken`. */
const SECRET_PARTS =
  /password|passwd|passphrase|secret|token|clientkey|apikey|privatekey|signingkey|accesskey|keyhash|recoverycode|authorization|cookie|credential|refresh|jwt/;
/** Short ones mean it only as a word of their own: `otp` does, `hotplug` does not. */
const SECRET_WORDS = new Set(['pwd', 'otp', 'totp', 'bearer', 'pin']);
/** `tokenId`, `passwordChangedAt`: about a secret, not the secret. */
const HARMLESS_ENDINGS = new Set(['id', 'ids', 'at', 'name', 'count']);

/** What looks like one of our credentials (client key, personal or other token, JWT), a bearer header or a private key. */
const CREDENTIAL = new RegExp(
  [
    /\bsk_[a-z0-9]+_[\w-]{16,}/,
    /\bgw[a-z]+_[\w-]{16,}/,
    /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/,
    /\bBearer\s+[\w.~+/=-]+/,
    /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'gi',
);

/** Answers a copy as JSON has it, without secrets at any depth: those under a name that says so, and those that look like one. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return '[bytes]';
  if ('toJSON' in value && typeof value.toJSON === 'function') return redact((value.toJSON as () => unknown)());
  if (Array.isArray(value)) return value.map(redact);
  const entries = Object.entries(value).map(([name, inner]) => {
    const { shown, isSecret } = judge(name);
    return [shown, isSecret ? hide(inner) : redact(inner)];
  });
  return Object.fromEntries(entries) as unknown;
}

interface Judgement {
  shown: string;
  isSecret: boolean;
}

/** The same few names come again and again. */
const judgements = new Map<string, Judgement>();
const MOST_JUDGEMENTS = 1_000;

function judge(name: string): Judgement {
  let judgement = judgements.get(name);
  if (!judgement) {
    judgement = { shown: redactText(name), isSecret: isSecretName(name) };
    if (judgements.size >= MOST_JUDGEMENTS) judgements.clear();
    judgements.set(name, judgement);
  }
  return judgement;
}

export function redactText(text: string): string {
  return text.replace(CREDENTIAL, REDACTED);
}

export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
  if (words.length > 1 && HARMLESS_ENDINGS.has(words.at(-1) ?? '')) return false;
  return SECRET_PARTS.test(words.join('')) || words.some((word) => SECRET_WORDS.has(word));
}

/** That there is none, or a yes or no, tells nothing and helps the reader. */
function hide(value: unknown): unknown {
  return value === null || value === undefined || typeof value === 'boolean' ? value : REDACTED;
}
