import { ACTIONS } from '@gwanje/contracts';
import * as en from './action-words.en';
import * as ko from './action-words.ko';

describe('the words of the actions', () => {
  it.each([en, ko])('say of every built-in action what it is called and what it does', ({ actions }) => {
    expect(Object.keys(ACTIONS).filter((name) => !actions[name]?.[1])).toEqual([]);
  });
});
