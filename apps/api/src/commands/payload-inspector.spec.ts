import { inspectPayload } from './payload-inspector';

const SECRET = { type: 'string', writeOnly: true };
const secretsOf = (schema: object): string[] => inspectPayload('own', { user: 'u', word: 'w' }, [{ name: 'own', schema }]);

describe('the secret parameters of an action', () => {
  it.each([
    ['none that is marked', { properties: { user: { type: 'string' }, word: { type: 'string' } } }, []],
    ['one that is marked', { properties: { user: { type: 'string' }, word: SECRET } }, ['word']],
    ['one in which something is marked', { properties: { word: { anyOf: [{ type: 'object', properties: { pin: SECRET } }, { type: 'string' }] } } }, ['word']],
    ['a mark behind a reference', { properties: { word: { $ref: '#/$defs/s' } }, $defs: { s: SECRET } }, ['user', 'word']],
    ['a reference to what is marked', { properties: { word: { $ref: '#/properties/other' }, other: SECRET } }, ['user', 'word']],
    ['a mark in an alternative', { anyOf: [{ properties: { word: SECRET } }, {}] }, ['user', 'word']],
    ['a mark under a condition', { if: {}, then: { properties: { word: SECRET } } }, ['user', 'word']],
    ['a mark on all others', { properties: { user: {} }, additionalProperties: SECRET }, ['user', 'word']],
    ['a mark on a pattern', { patternProperties: { '^w': SECRET } }, ['user', 'word']],
  ])('%s', (_what, schema, secret) => {
    expect(secretsOf({ type: 'object', ...schema })).toEqual(secret);
  });
});

describe('the schema that an agent sends', () => {
  const inspect = (pattern: string, text: string): string[] => inspectPayload('own', { text }, [{ name: 'own', schema: { type: 'object', properties: { text: { type: 'string', pattern } } } }]);

  it('is held against a payload in a time that grows with its length, whatever its pattern', () => {
    // With a RegExp this takes longer than anybody waits.
    expect(() => inspect('^(([a-z ]+)+)+!$', 'an ordinary text of forty characters, or')).toThrow('payload.text: must match pattern');
    expect(inspect('^(([a-z ]+)+)+!$', 'an ordinary text!')).toEqual([]);
    expect(inspect('^\\u{AC00}\\w+(?<rest>.)$', '가ab프')).toEqual([]);
  });

  it('is of no use with a pattern that nobody can hold in such a time', () => {
    expect(() => inspect('(?=a)', 'a')).toThrow('the agent sent a schema of this action that is not valid');
  });
});
