import { TestBed } from '@angular/core/testing';
import { COMMAND_STATES } from '@gwanje/contracts';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { en } from './en';
import { Formats } from './formats';
import { I18n, LANGUAGES } from './i18n';
import { ko } from './ko';

type Leaf = string | ((...values: string[]) => string);

function leaves(value: object, path = ''): [string, Leaf][] {
  return Object.entries(value).flatMap(([key, inner]: [string, Leaf | object]) =>
    typeof inner === 'object' ? leaves(inner, `${path}${key}.`) : [[path + key, inner] as [string, Leaf]],
  );
}

/** The words, with marked values put in. */
function say(words: Leaf): string {
  return typeof words === 'string' ? words : words(...Array.from({ length: words.length }, (_, index) => `<${index}>`));
}

/** Where every code of the server stands, which a test of the server sees to. */
const PROBLEMS = join(__dirname, '../../../../../../docs/problems.md');

const FEATURES = join(__dirname, '../../features');
/** Every catalogue that there is: the one of all pages, and those that the families of pages bring. */
const catalogues: [string, Record<'en' | 'ko', object>][] = [
  ['core', { en, ko }],
  ...readdirSync(FEATURES)
    .filter((feature) => existsSync(join(FEATURES, feature, 'words')))
    .map((feature): [string, Record<'en' | 'ko', object>] => {
      const words = (language: string): object =>
        jest.requireActual<object>(join(FEATURES, feature, 'words', language));
      return [feature, { ...words('en'), ...words('ko') } as Record<'en' | 'ko', object>];
    }),
];

describe.each(catalogues)('the catalogue of %s', (_name, languages) => {
  it.each(['en', 'ko'] as const)('says everything in %s, and uses every value that it is given', (language) => {
    const catalogue = languages[language];
    expect(leaves(catalogue).length).toBeGreaterThan(0);
    expect(leaves(catalogue).map(([key]) => key)).toEqual(leaves(languages.en).map(([key]) => key));
    for (const [key, words] of leaves(catalogue)) {
      expect([key, say(words).trim()]).not.toEqual([key, '']);
      if (typeof words === 'function') {
        for (let index = 0; index < words.length; index++)
          expect([key, say(words)]).toEqual([key, expect.stringContaining(`<${index}>`)]);
      }
    }
  });

  it('is Korean in ko, but for signs and abbreviations', () => {
    const foreign = leaves(languages.ko).filter(
      ([, words]) => !/\p{Script=Hangul}/u.test(say(words)) && /[a-z]/.test(say(words)),
    );
    expect(foreign.map(([key]) => key)).toEqual([]);
  });
});

describe('the catalogues', () => {
  it('name every state of a command', () => {
    expect(Object.keys(en.states)).toEqual([...COMMAND_STATES]);
    expect(Object.keys(ko.states)).toEqual([...COMMAND_STATES]);
  });

  it('have words for every code that the server tells a problem by', () => {
    const rows = readFileSync(PROBLEMS, 'utf8').matchAll(/^\| \d{3} \| (.+?) \|/gm);
    const codes = new Set([...rows].flatMap(([, names = '']) => names.match(/[a-z_]+/g) ?? []));
    expect(codes.size).toBeGreaterThan(30);
    expect([...codes].filter((code) => !Object.hasOwn(en.problems, code))).toEqual([]);
  });

  it('are found where the families of pages keep them', () => {
    expect(catalogues.map(([name]) => name)).toEqual(expect.arrayContaining(['core', 'commands', 'login']));
  });
});

describe('the language', () => {
  beforeEach(() => localStorage.clear());
  afterEach(() => jest.restoreAllMocks());
  const browser = (...tags: string[]): void => void jest.spyOn(navigator, 'languages', 'get').mockReturnValue(tags);

  it.each([
    [['ko-KR', 'en'], 'ko'],
    [['fr', 'ko', 'en'], 'ko'],
    [['en-GB', 'ko'], 'en'],
    [['ja'], 'en'],
    [[], 'en'],
  ])('of a browser that wants %j is %s', (tags, language) => {
    browser(...tags);
    expect(TestBed.inject(I18n).language()).toBe(language);
  });

  it('changes every word at once, says so in the page, and is remembered', () => {
    browser('en');
    const i18n = TestBed.inject(I18n);
    i18n.choose('ko');
    TestBed.tick();
    expect(i18n.text()).toBe(LANGUAGES.ko.catalogue);
    expect(document.documentElement.lang).toBe('ko');
    TestBed.resetTestingModule();
    expect(TestBed.inject(I18n).language()).toBe('ko');
  });
});

describe('the formats', () => {
  it('follow the language', () => {
    const i18n = TestBed.inject(I18n);
    const formats = TestBed.inject(Formats);
    const plain = (text: string): string => text.replace(/\s/g, ' ');
    i18n.choose('en');
    expect(formats.number(1234567)).toBe('1,234,567');
    expect(formats.dateTime('2026-03-05T12:00:00Z')).toMatch(/Mar 5, 2026/);
    expect(formats.dayAndMinute('2026-03-05T12:00:00Z')).toMatch(/^Mar 5, \d+:00/);
    expect([0, 340, 4_290, 59_999, 61_000, 3_600_000, 90_061_000].map((ms) => plain(formats.duration(ms)))).toEqual([
      '0 ms',
      '340 ms',
      '4.2 sec',
      '59.9 sec',
      '1 min 1 sec',
      '1 hr',
      '1 day 1 hr',
    ]);
    i18n.choose('ko');
    expect(formats.dateTime('2026-03-05T12:00:00Z')).toMatch(/2026\. 3\. 5\./);
    expect(plain(formats.duration(61_000))).toBe('1분 1초');
  });
});
