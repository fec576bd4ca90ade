import fc from 'fast-check';
import type { Route } from './document';

export interface Attempt {
  caller: string;
  route: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
}

/** What ids and names in an address may be, beside whatever else: things that are there. */
export interface Things {
  ids: readonly string[];
}

const UUID = '00000000-0000-7000-8000-000000000000';
/** Percent-encoded, or not as it should be. */
const ODD_TEXT = [
  ...[
    '%00',
    'a%00b',
    '%ED%A0%80',
    '%FF',
    '%',
    '%ZZ',
    '%2e%2e%2f',
    '..%2fusers',
    '%27%3B--',
    '__proto__',
    'constructor',
  ],
  ...[
    'x'.repeat(90),
    'x'.repeat(3_000),
    '%F0%9F%98%80',
    '-1',
    '0',
    '1e400',
    '9007199254740993',
    '99999999999999999999',
    '',
  ],
  ...[
    '2026-02-30',
    '2026-W01',
    '-000001-01-01',
    'true',
    'null',
    '[]',
    '{}',
    '*',
    "' OR 1=1--",
    UUID,
    UUID.replaceAll('0', 'F'),
  ].map(encodeURIComponent),
];
const ODD_BODY = [
  ...[
    '',
    '[]',
    '[{}]',
    '"x"',
    '1',
    'null',
    'true',
    '{',
    '}',
    '{"a":1,}',
    '\u0000',
    '\ufeff{}',
    '{"__proto__":{"admin":true}}',
  ],
  ...['{"constructor":{"prototype":{"admin":true}}}', '{"a\\u0000b":1}', '{"\\ud800":1}', '<a/>', 'a=b&c=d', '--x--'],
  ...[
    '['.repeat(100_000),
    `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`,
    `{"a":"${'x'.repeat(200_000)}"}`,
    '1'.repeat(5_000),
  ],
];
const ODD_VALUE: readonly unknown[] = [
  ...[
    null,
    [],
    [[]],
    [null],
    {},
    '',
    ' ',
    '\u0000',
    '\ud800',
    -1,
    0,
    0.5,
    2 ** 53,
    1e308,
    true,
    false,
    'x'.repeat(10_000),
  ],
  ...['2026', '2026-W01-1', '2026-02-30', '+002026-01-01T00:00:00Z', '2026-01-01T24:00:00Z', '9999-12-31T23:59:59Z'],
  ...[
    'constructor',
    ['constructor'],
    { constructor: { x: {} } },
    { toString: 'x' },
    [{ id: 1 }],
    Array(2_000).fill({}),
  ],
];
const TYPES = [
  ...[
    'application/json',
    'application/json; charset=utf-8',
    'application/json; charset=utf-16',
    'text/plain',
    'application/xml',
  ],
  ...[
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'multipart/form-data; boundary=x',
    'nonsense',
    '',
  ],
];
const HEADERS = [
  ...[
    'Idempotency-Key',
    'Last-Event-ID',
    'X-Request-Id',
    'X-File-Name',
    'Content-Disposition',
    'X-Forwarded-For',
    'Cookie',
  ],
  ...[
    'Accept',
    'Origin',
    'If-None-Match',
    'Range',
    'X-HTTP-Method-Override',
    'Content-Encoding',
    'Expect-CT',
    'User-Agent',
  ],
];

/** Any text, as it may stand in an address. */
const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ODD_TEXT) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }).map((it) => encodeURIComponent(it)) },
);
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ODD_VALUE) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
  { weight: 1, arbitrary: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })) },
);
/** Whatever a header may carry at all. */
const headerText = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    'x'.repeat(4_000),
    "';--",
    '\u00ff'.repeat(100),
    '%00',
    '%ED%A0%80',
    '1.1',
    '99999999999999999999',
    'gzip',
  ),
  fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 60 }),
);

/** One call that is wrong somewhere: in its address, its query, its headers or its body, most of them in one place only. */
export function malformed(routes: readonly Route[], callers: readonly string[], things: Things): fc.Arbitrary<Attempt> {
  const oneRoute = fc.constantFrom(...routes).chain((route) =>
    fc
      .record({
        caller: fc.constantFrom(...callers),
        names: fc.array(
          fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...things.ids) }, { weight: 2, arbitrary: text }),
          {
            minLength: 3,
            maxLength: 3,
          },
        ),
        query: queryOf(route),
        headers: fc.dictionary(fc.constantFrom(...HEADERS, ...route.headers), headerText, { maxKeys: 2 }),
        type: fc.oneof(
          { weight: 5, arbitrary: fc.constant('application/json') },
          { weight: 1, arbitrary: fc.constantFrom(...TYPES) },
        ),
        body: route.method === 'GET' ? fc.constant(null) : bodyOf(route),
      })
      .map(({ caller, names, query, headers, type, body }): Attempt => {
        const left = [...names];
        const path = route.path.replace(/\{\w+\}/g, () => left.pop() || 'x') + (query && `?${query}`);
        const own = body === null ? headers : { ...headers, 'Content-Type': type };
        return { caller, route: `${route.method} ${route.path}`, method: route.method, path, headers: own, body };
      }),
  );
  return oneRoute;
}

function queryOf({ query }: Route): fc.Arbitrary<string> {
  const name = fc.oneof(fc.constantFrom('limit', 'cursor', 'x', '__proto__', 'limit[]', 'a[b]', '%00', ...query), text);
  const pair = fc.tuple(name, text).map(([key, it]) => `${key}=${it}`);
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant('') },
    { weight: 3, arbitrary: fc.array(pair, { maxLength: 4 }).map((pairs) => pairs.join('&')) },
  );
}

function bodyOf({ body }: Route): fc.Arbitrary<Buffer | null> {
  const raw = fc.constantFrom(...ODD_BODY).map((it) => Buffer.from(it));
  const bytes = fc.uint8Array({ maxLength: 200 }).map((it) => Buffer.from(it));
  const any = fc.jsonValue({ maxDepth: 4 }).map((it) => Buffer.from(JSON.stringify(it)));
  if (!body || body.fields.length === 0) return fc.oneof(raw, bytes, any, fc.constant(null));
  const usual = body.usual as Record<string, unknown>;
  const changed = fc
    .record({
      changes: fc.dictionary(fc.constantFrom(...body.fields), value, { minKeys: 1, maxKeys: 3 }),
      dropped: fc.option(fc.constantFrom(...body.fields), { freq: 4 }),
      extra: fc.option(fc.tuple(fc.string({ maxLength: 12 }), value), { freq: 5 }),
      cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 10 }),
    })
    .map(({ changes, dropped, extra, cut }) => {
      const fields = Object.entries({ ...usual, ...changes }).filter(([name]) => name !== dropped);
      const whole = JSON.stringify(Object.fromEntries([...fields, ...(extra ? [extra] : [])]));
      return Buffer.from(cut === null ? whole : whole.slice(0, Math.floor(whole.length * cut)));
    });
  return fc.oneof(
    { weight: 6, arbitrary: changed },
    { weight: 1, arbitrary: raw },
    { weight: 1, arbitrary: bytes },
    { weight: 1, arbitrary: any },
  );
}
