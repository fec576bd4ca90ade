import { ACTIONS, type JsonSchema } from '@gwanje/contracts';
import { type Field, fieldsOf, groupOf, payloadOf } from './schema-fields';

const drawn = (schema: JsonSchema): { fields: Field[]; group: ReturnType<typeof groupOf> } => {
  const fields = fieldsOf(schema);
  return { fields, group: groupOf(fields, schema) };
};
const of = (name: string): JsonSchema => ACTIONS[name]?.payload ?? {};

describe('a form that is drawn from a schema', () => {
  it('has a field for every parameter of every action', () => {
    for (const { name, payload } of Object.values(ACTIONS)) {
      expect([name, fieldsOf(payload).map((field) => field.name)]).toEqual([
        name,
        Object.keys(payload.properties ?? {}),
      ]);
    }
  });

  it.each([
    ['shell', { program: '/bin/ls', args: '-l\n/tmp\n', cwd: '' }, { program: '/bin/ls', args: ['-l', '/tmp'] }],
    ['noop', { delayMs: 5, echo: '{"a":[1]}' }, { delayMs: 5, echo: { a: [1] } }],
    ['noop', { delayMs: null, echo: null }, {}],
    [
      'print',
      { filePath: '/a.pdf', copies: 2, options: { duplex: true } },
      { filePath: '/a.pdf', copies: 2, options: { duplex: true } },
    ],
    ['print', { filePath: '/a.pdf', options: { duplex: false } }, { filePath: '/a.pdf' }],
    ['file_put', { path: '/a', content: 'x', encoding: 'base64' }, { path: '/a', content: 'x', encoding: 'base64' }],
    ['system_info', {}, {}],
  ])('of %s makes of %j the payload %j', (name, values, payload) => {
    const { fields, group } = drawn(of(name));
    group.patchValue(values);
    expect(group.valid).toBe(true);
    expect(payloadOf(fields)).toEqual(payload);
  });

  it.each([
    ['shell', {}, 'program', 'required'],
    ['noop', { delayMs: -1 }, 'delayMs', 'min'],
    ['noop', { delayMs: 1.5 }, 'delayMs', 'whole'],
    ['noop', { echo: '{oops' }, 'echo', 'json'],
    ['print', { filePath: '/a', copies: 1000 }, 'copies', 'max'],
    ['print', { filePath: '/a', printer: 'a b' }, 'printer', 'pattern'],
    ['emergency_shutdown', { reason: '-x' }, 'reason', 'pattern'],
    ['shell', { program: '/x', args: 'a\n'.repeat(1001) }, 'args', 'count'],
  ])('of %s refuses %j at %s', (name, values, at, error) => {
    const { group } = drawn(of(name));
    group.patchValue(values);
    expect(Object.keys(group.get(at)?.errors ?? {})).toContain(error);
  });

  it('asks for one of several, where the schema does', () => {
    const { group } = drawn(of('print'));
    expect(group.errors).toEqual({ oneOf: ['filePath', 'file'] });
    group.patchValue({ file: '/a.pdf' });
    expect(group.errors).toBeNull();
  });

  it('of an action of which nothing is known is one field of JSON', () => {
    const fields = fieldsOf(undefined);
    groupOf(fields).patchValue({ '': '{"level":3}' });
    expect(payloadOf(fields)).toEqual({ level: 3 });
  });
});
