import { ACTIONS, type ParameterLimits } from '@gwanje/contracts';
import { kindsFor, type LimitRow, readLimits, writeLimits } from './limits';

const parameterOf = ({ action, parameter }: LimitRow): ReturnType<typeof find> => find(action, parameter);
const find = (action: string, parameter: string): import('@gwanje/contracts').JsonSchema | undefined =>
  ACTIONS[action]?.payload.properties?.[parameter];

describe('the limits of a grant', () => {
  it.each<ParameterLimits>([
    {},
    { print: { copies: { maximum: 10 }, printer: { enum: ['front', 'back office'] } } },
    { print: { copies: { enum: [1, 2] } }, file_put: { overwrite: { enum: [false] }, path: { pattern: '^/srv/' } } },
    { print: { copies: { minimum: 1, maximum: 3 } }, noop: { echo: { enum: [{ a: 1 }] } } },
  ])('come back as they were from %j', (limits) => {
    expect(writeLimits(readLimits(limits), parameterOf)).toEqual({ limits });
  });

  it.each([
    ['a bound that is no number', { kind: 'atMost', value: 'ten' }],
    ['an empty value', { kind: 'oneOf', value: ' ' }],
    ['a value of another type', { kind: 'oneOf', value: '1\ntwo' }],
    ['a pattern that is none', { kind: 'matches', value: '(' }],
    ['a schema that is none', { kind: 'schema', value: '[1]' }],
  ] as const)('refuse %s', (_, rule) => {
    expect(writeLimits([{ action: 'print', parameter: 'copies', ...rule }], parameterOf)).toEqual({
      row: 0,
      fault: 'wrong',
    });
  });

  it('refuse a second rule for the same parameter', () => {
    const row: LimitRow = { action: 'print', parameter: 'copies', kind: 'atMost', value: '3' };
    expect(writeLimits([row, { ...row, kind: 'atLeast' }], parameterOf)).toEqual({ row: 1, fault: 'twice' });
  });

  it('offer what fits the parameter', () => {
    expect(kindsFor(find('print', 'copies'))).toEqual(['atMost', 'atLeast', 'oneOf', 'schema']);
    expect(kindsFor(find('print', 'printer'))).toEqual(['oneOf', 'matches', 'schema']);
  });
});
