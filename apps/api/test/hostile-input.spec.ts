import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { ACCESS_TABLE } from './support/access-table';
import { TestEnvironment } from './support/environment';

interface Attempt {
  method: string;
  path: string;
  type?: string;
  body?: string;
  headers?: Record<string, string>;
}
interface Answer {
  status: number;
  type: string;
  problem: { status?: number; code?: string; title?: string; detail?: string; requestId?: string } | null;
}

const LONE = '\\ud800';
/** What stands in an address where an id is meant. */
const IDS = [
  'x', '%00', 'a%00b', '%ED%A0%80', '%FF', '%', '%ZZ', '%2e%2e%2f', '..%2fusers', 'x'.repeat(90), 'x'.repeat(1_000), encodeURIComponent('가'.repeat(90)),
  '00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', '%27%3B--', '__proto__', 'constructor', '%F0%9F%98%80',
];
const QUERIES = [
  'limit=1&limit=2', 'limit=', 'limit=1e400', 'limit=0', 'limit=201', 'limit=9007199254740993', 'limit[]=1', 'limit[a]=1', 'status[]=x', 'status=a&status=b',
  'cursor=x', 'cursor=%00', 'cursor=1&cursor=2', 'cursor=99999999999999999999', 'q=%00', 'q=%ED%A0%80', 'q=%', 'q=a&q=b', 'group=%00', 'clientId=', 'clientId=%20', 'clientId=%00', 'clientId=x&clientId=y',
  'action=%00', 'action=constructor', 'batchId=x', 'from=2026', 'from=2026-W01', 'to=2026-001', 'from=2026-02-30', 'from=%00', 'to=2026-01-01T24:00:00Z', 'from=-000001-01-01',
  'topics=', 'topics=x', 'topics=commands&topics=clients', 'topics[]=x', 'topics=%00', 'actor=%00', 'target=%00', 'outcome=x', '__proto__=1', '__proto__[a]=1', 'constructor=1', '%00=1', '&&&=',
  'user=%00&action=noop&client=x', 'user=admin@example.com&action=noop&client=%00', 'user=admin@example.com&action=%00&client=x', 'user=a&user=b&action=c&client=d',
  'returnTo=//evil.example', 'returnTo=%00', 'state=%00&code=x', 'state=a&state=b',
];
/** Whole bodies that are none. */
const BODIES: [type: string, body: string | undefined][] = [
  ['application/json', ''], ['application/json', '[]'], ['application/json', '[{}]'], ['application/json', '"x"'], ['application/json', '1'], ['application/json', 'null'],
  ['application/json', 'true'], ['application/json', '{'], ['application/json', '{"__proto__":{"admin":true}}'], ['application/json', '{"constructor":{"prototype":{"admin":true}}}'],
  ['application/json', '{"constructor":1}'], ['application/json', '{"toString":"x","hasOwnProperty":1}'], ['application/json', '{"a\\u0000b":1}'], ['application/json', `{"${LONE}":1}`],
  ['application/json', '['.repeat(100_000)], ['application/json', `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`], ['application/json; charset=utf-16', '{}'],
  ['application/x-www-form-urlencoded', 'email=a@example.com&password=x'], ['text/plain', '{"email":"a@example.com","password":"x"}'], ['application/xml', '<a/>'],
  ['application/octet-stream', '\u0000\u0001'], ['multipart/form-data; boundary=x', '--x--'], ['nonsense', 'x'],
];
/** What stands in a field, as JSON. */
const VALUES = [
  'null', '[]', '[[]]', '[null]', '{}', '""', '" "', '"\\u0000"', `"${LONE}"`, '1e400', '-1', '0.5', '9007199254740993', 'true', `"${'x'.repeat(10_000)}"`, '"2026"', '"2026-W01-1"', '"2026-001"',
  '"2026-02-30"', '"+002026-01-01T00:00:00Z"', '"2026-01-01T24:00:00Z"', '"9999-12-31T23:59:59Z"', '"0000-01-01T00:00:00Z"', '"constructor"', '["constructor"]', '{"constructor":{"x":{}}}', '{"toString":"x"}',
  '[{"id":1}]', '[{"name":"\\u0000"}]',
];
const FIELDS = [
  'email', 'password', 'otp', 'name', 'roles', 'scope', 'disabled', 'permissions', 'expiresAt', 'groups', 'labels', 'concurrency', 'uses', 'clientId', 'action', 'payload', 'priority',
  'timeoutMs', 'notBefore', 'maxAttempts', 'targets', 'items', 'format', 'filter', 'attempt', 'success', 'data', 'error', 'durationMs', 'outcome', 'chunks', 'progress', 'version', 'platform',
  'actions', 'inFlight', 'token', 'overlapSeconds', 'currentPassword', 'newPassword', 'requiresSecondFactor',
];

/** Whatever comes in, on whichever route and from whomever: an answer below 500, and a problem that says what it is. */
describe('hostile input', () => {
  let env: TestEnvironment;
  let names: { client: string; rekeyed: string; command: string };
  let callers: [name: string, token: string | null][];

  beforeAll(async () => {
    env = await TestEnvironment.create();
    const { id, clientKey } = await env.client('target', { groups: ['floor'] });
    names = { client: id, rekeyed: (await env.client('rekeyed')).id, command: await env.command(id) };
    callers = [['admin', env.token], ['agent', clientKey], ['nobody', null]];
  });
  afterAll(() => env.destroy());

  const send = async ({ method, path, type, body, headers }: Attempt, token: string | null): Promise<Answer> => {
    const stop = new AbortController();
    const answer = await fetch(env.url + path, {
      method,
      signal: stop.signal,
      redirect: 'manual',
      headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(type !== undefined && { 'Content-Type': type }), ...headers },
      ...(body !== undefined && method !== 'GET' && { body }),
    });
    const contentType = answer.headers.get('content-type') ?? '';
    const problem = contentType.startsWith('application/problem+json') ? ((await answer.json()) as Answer['problem']) : null;
    stop.abort();
    return { status: answer.status, type: contentType, problem };
  };
  const faultOf = ({ status, type, problem }: Answer): string | null => {
    if (status >= 500) return `${status}`;
    if (status < 400) return null;
    if (!problem) return `${status} as ${type || 'nothing'}`;
    const whole = problem.status === status && problem.code && problem.title && problem.detail && problem.requestId;
    return whole ? null : `${status}: ${JSON.stringify(problem)}`;
  };
  const routes = Object.entries(ACCESS_TABLE).map(([route, rule]) => [route, rule] as const);
  /** With the ids of things that are there. */
  const address = (route: string): string =>
    // The agent that calls keeps its key.
    route.replace('{id}/rotate-key', `${names.rekeyed}/rotate-key`).replace('{artifactId}', 'x').replace('{keyId}', 'x').replace('{clientId}', names.client).replace('{name}', 'floor')
      .replace(/commands\/\{id\}/, `commands/${names.command}`).replace(/clients\/\{id\}/, `clients/${names.client}`).replace('{id}', 'x');
  const tryAll = async (attempts: Attempt[]): Promise<void> => {
    const faults: string[] = [];
    for (const attempt of attempts) await Promise.all(callers.map(async ([name, token]) => {
      const fault = faultOf(await send(attempt, token));
      const { method, path, type, body } = attempt;
      if (fault) faults.push(`${name} ${method} ${path.slice(0, 100)} ${type ?? ''} ${body?.slice(0, 80) ?? ''}: ${fault}`);
    }));
    expect(faults).toEqual([]);
  };

  it('knows every route of the server', async () => {
    const { body } = await env.get('/api/docs/openapi.json').expect(200);
    const known = Object.entries((body as { paths: Record<string, object> }).paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(known.filter((route) => !ACCESS_TABLE[route])).toEqual([]);
  });

  it.each(routes.filter(([route]) => route.includes('{')))('in the address of %s', async (route, rule) => {
    const [method = '', path = ''] = route.split(' ');
    const body = rule.body ? { type: 'application/json', body: JSON.stringify(rule.body({ client: 'x', user: 'x' })) } : {};
    await tryAll(IDS.map((id) => ({ method, path: path.replace(/\{\w+\}/g, id), ...body })));
  });

  it.each(routes.filter(([route]) => route.startsWith('GET')))('in the query of %s', async (route) => {
    const [method = '', path = ''] = route.split(' ');
    await tryAll(QUERIES.map((query) => ({ method, path: `${address(path)}?${query}` })));
  });

  it.each(routes.filter(([route]) => !route.startsWith('GET')))('as the body of %s', async (route) => {
    const [method = '', path = ''] = route.split(' ');
    if (/^\/api\/(clients|commands)/.test(path) && method === 'DELETE') return;
    await tryAll(BODIES.map(([type, body]) => ({ method, path: address(path), type, ...(body !== undefined && { body }) })));
  });

  it('of a body that is not there, whatever its type is said to be', async () => {
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
      const answer = await send({ method: 'POST', path: '/api/auth/logout', type, body: '' }, null);
      expect([type, answer.status]).toEqual([type, 204]);
    }
  });

  it('takes only JSON objects where JSON is meant', async () => {
    const post = async (type: string, body: string, path = '/api/enrolment-tokens'): Promise<number> => (await send({ method: 'POST', path, type, body }, env.token)).status;
    for (const body of ['[]', '"x"', '1', 'true']) expect([body, await post('application/json', body)]).toEqual([body, 400]);
    expect(await post('text/plain', '{}')).toBe(201);
    for (const type of ['application/x-www-form-urlencoded', 'application/octet-stream']) expect([type, await post(type, '{}')]).toEqual([type, 415]);
    expect(await post('application/json; charset=utf-8', '{}')).toBe(201);
    expect(await post('application/octet-stream', 'x'.repeat(2 << 20), '/api/auth/login')).toBe(415);
  });

  it('finds what has a long name, and lets no answer of the API be kept', async () => {
    const name = '가'.repeat(100);
    const { id } = await env.client(name);
    const answer = await env.get(`/api/clients/${encodeURIComponent(name)}`).expect(200);
    expect(answer.body).toMatchObject({ id });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it.each(routes.filter(([, rule]) => rule.body))('in the fields of %s', async (route, rule) => {
    const [method = '', path = ''] = route.split(' ');
    const usual = rule.body?.({ client: names.client, user: 'admin@example.com' }) ?? {};
    const written = (field: string, value: string): string => {
      const others = Object.entries(usual).filter(([name]) => name !== field).map(([name, other]) => `${JSON.stringify(name)}:${JSON.stringify(other)}`);
      return `{${[...others, `"${field}":${value}`].join(',')}}`;
    };
    const [, token] = callers[rule.who === 'agents' ? 1 : 0] ?? [];
    // Unknown fields are refused before their values are looked at: one value tells which are known.
    const optional: string[] = [];
    for (const field of FIELDS) {
      const { problem } = await send({ method, path: address(path), type: 'application/json', body: written(field, '[[]]') }, token ?? null);
      if (!problem?.detail?.includes(`property ${field} should not exist`)) optional.push(field);
    }
    const fields = [...new Set([...Object.keys(usual), ...optional])];
    const faults: string[] = [];
    for (const value of VALUES) await Promise.all(fields.map(async (field) => {
      const fault = faultOf(await send({ method, path: address(path), type: 'application/json', body: written(field, value) }, token ?? null));
      if (fault) faults.push(`${field}: ${value.slice(0, 60)}: ${fault}`);
    }));
    expect(faults).toEqual([]);
  });

  it('in headers', async () => {
    const order = { method: 'POST', path: '/api/commands', type: 'application/json', body: JSON.stringify({ clientId: names.client, action: 'noop', payload: {} }) };
    const file = { method: 'POST', path: `/api/commands/${names.command}/artifacts`, type: 'text/plain', body: 'x' };
    const odd = ['', ' ', 'é', '\u00ff'.repeat(200), 'x'.repeat(4_000), "';--"];
    await tryAll([
      ...odd.map((key) => ({ ...order, headers: { 'Idempotency-Key': key } })),
      ...odd.map((key) => ({ ...order, headers: { 'X-Request-Id': key, 'User-Agent': key, 'X-Forwarded-For': key, 'X-HTTP-Method-Override': 'DELETE' } })),
      ...[...odd, '%00', '%ED%A0%80', '%', encodeURIComponent('😀'.repeat(200)), '..%2f..%2fetc%2fpasswd'].map((name) => ({ ...file, headers: { 'X-File-Name': name } })),
      ...odd.map((id) => ({ method: 'GET', path: `/api/commands/${names.command}/stream`, headers: { 'Last-Event-ID': id } })),
      ...[...odd, '99999999999999999999', '9999999999999999999', '1.1'].map((id) => ({ method: 'GET', path: '/api/events', headers: { 'Last-Event-ID': id } })),
    ]);
  });

  it('that is not HTTP, or has no measure', async () => {
    const say = async (bytes: string): Promise<Answer> => {
      const socket = connect(Number(new URL(env.url).port), '127.0.0.1').end(bytes);
      const [head = '', body = '{}'] = (await text(socket)).split('\r\n\r\n');
      const problem = JSON.parse(body) as Answer['problem'];
      expect(/x-request-id: (.*)/i.exec(head)?.[1]).toBe(problem?.requestId);
      return { status: Number(head.split(' ')[1]), type: /content-type: (.*)/i.exec(head)?.[1] ?? '', problem };
    };
    const get = 'GET /health/live HTTP/1.1\r\nHost: x\r\n';
    const wrong: [bytes: string, status: number, code: string][] = [
      ['nonsense\r\n\r\n', 400, 'bad_request'],
      [`${get}Content-Length: x\r\n\r\n`, 400, 'bad_request'],
      [`${get}A${'\u0000'}B: 1\r\n\r\n`, 400, 'bad_request'],
      [`${get}X: ${'x'.repeat(100_000)}\r\n\r\n`, 431, 'request_header_fields_too_large'],
      ['GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'invalid_input'],
      ['GET /api/agents/events HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', 400, 'invalid_input'],
      [`GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'request_header_fields_too_large'],
    ];
    for (const [bytes, status, code] of wrong) {
      const answer = await say(bytes);
      expect([bytes.slice(0, 60), faultOf(answer), answer]).toMatchObject([bytes.slice(0, 60), null, { status, type: expect.stringContaining('application/problem+json'), problem: { code } }]);
    }
  });

  it('serves what expects something unheard of as if it did not', async () => {
    const { port } = new URL(env.url);
    const answer = await text(connect(Number(port), '127.0.0.1').end('GET /health/live HTTP/1.1\r\nHost: x\r\nExpect: more\r\nConnection: close\r\n\r\n'));
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
  });

  it('has left the agent its key, with which all of this was tried', async () => {
    const [, key] = callers[1] ?? [];
    expect((await send({ method: 'POST', path: '/api/agents/alive' }, key ?? null)).status).toBeLessThan(300);
  });
});
