import type { Explanation } from './access-api';
import { stepsOf } from './explain-steps';
import { en } from './words/en';
import { ko } from './words/ko';

const answer = (change: Partial<Explanation>, user: Partial<Explanation['user']> = {}): Explanation => ({
  allowed: true,
  reasons: [],
  client: { id: 'c', name: 'till-1', groups: ['shop'] },
  grants: [],
  ...change,
  user: {
    id: 'u',
    email: 'kim@example.com',
    roles: ['operator'],
    permissions: ['commands.create'],
    everywhere: false,
    secondFactor: { enabled: false, required: false, satisfied: true, unprovenSessions: 0 },
    ...user,
  },
});
const steps = (
  explanation: Explanation,
  permission = 'commands.create' as const,
): { words: string; fits: boolean | null }[] =>
  stepsOf(explanation, permission, 'Send commands', en, (message) => message);

describe('the steps of an explanation', () => {
  it('end at the first thing that decides', () => {
    expect(steps(answer({}, { secondFactor: null })).map(({ words }) => words)).toEqual(['The account is disabled']);
    const owed = { enabled: false, required: true, satisfied: false, unprovenSessions: 0 };
    expect(steps(answer({}, { secondFactor: owed })).at(-1)).toMatchObject({
      fits: false,
      words: expect.stringContaining('second factor'),
    });
    expect(steps(answer({}, { permissions: [] })).at(-1)).toEqual({
      fits: false,
      words: 'No role gives the permission “Send commands” (roles: operator)',
    });
    expect(steps(answer({}, { everywhere: true })).at(-1)).toEqual({ fits: true, words: 'It holds on every client' });
    expect(steps(answer({})).at(-1)).toMatchObject({
      fits: false,
      words: expect.stringContaining('No grant on till-1'),
    });
  });

  it('say in Korean as well that no grant is for this, and not that there is none', () => {
    const said = stepsOf(answer({}), 'commands.create', '명령 보내기', ko, (message) => message).at(-1)?.words;
    expect(said).toMatch(/till-1.*이 일을 허용하는 항목이 없습니다/);
  });

  it('tell of each grant whom it names, where, and what it refuses', () => {
    const grants = [
      {
        grantId: 'a',
        role: 'operator',
        group: 'shop',
        actions: ['print'],
        limits: { print: { copies: { maximum: 10 } } },
      },
      {
        grantId: 'b',
        role: null,
        group: null,
        actions: ['print'],
        limits: { print: { copies: { maximum: 2 } } },
        faults: [{ path: 'payload.copies', message: 'must be <= 2' }],
      },
    ];
    expect(steps(answer({ grants })).slice(-2)).toEqual([
      {
        fits: true,
        words: 'The grant for the role operator on the group shop allows it within limits: print: copies at most 10',
      },
      { fits: false, words: 'The grant for the person on this client refuses this payload: copies must be <= 2' },
    ]);
  });
});
