import { FormControl, FormGroup } from '@angular/forms';
import { ACTIONS } from '@gwanje/contracts';
import { Ajv } from 'ajv';
import * as decorators from 'class-validator';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../core/http/problem';
import { showFaults } from './server-faults';
import { en } from '../core/i18n/en';
import { ko } from '../core/i18n/ko';
import { problemWords, refusalWords, serverWords } from './server-words';

const problem = (change: Partial<Problem>): Problem => ({
  status: 400,
  code: 'x',
  detail: '',
  errors: [],
  requestId: null,
  ...change,
});

const isKorean = (text: string): boolean => /\p{Script=Hangul}/u.test(text);

describe('the sentences of the server in Korean', () => {
  /** What the decorators of a body say of this value. */
  function faultsOf(value: unknown, ...decorate: PropertyDecorator[]): string[] {
    class Body {
      field = value;
    }
    for (const decorator of decorate) decorator(Body.prototype, 'field');
    return decorators.validateSync(new Body()).flatMap(({ constraints }) => Object.values(constraints ?? {}));
  }

  it('are known of bodies', () => {
    const { IsArray, IsBoolean, IsDefined, IsEmail, IsIn, IsInt, IsNumber, IsObject, IsString, IsUUID } = decorators;
    const { ArrayMaxSize, ArrayMinSize, ArrayUnique, Max, MaxLength, Min, MinLength } = decorators;
    const said = [
      faultsOf({}, IsArray(), IsBoolean(), IsEmail(), IsIn(['a', 'b']), IsInt(), IsNumber(), IsString(), IsUUID()),
      faultsOf(1, IsObject(), Min(2), Max(0)),
      faultsOf('abc', MinLength(4), MaxLength(2)),
      faultsOf(['a', 'a'], ArrayMaxSize(1), ArrayMinSize(3), ArrayUnique(), IsUUID(undefined, { each: true })),
      faultsOf(undefined, IsDefined()),
    ].flat();
    expect(said).toHaveLength(18);
    expect(said.filter((sentence) => !isKorean(serverWords(sentence, 'ko')))).toEqual([]);
    expect(serverWords('each value in groups must be shorter than or equal to 100 characters', 'ko')).toBe(
      '100자 이하여야 합니다',
    );
  });

  it('are known of payloads', () => {
    const ajv = new Ajv({ allErrors: true, strict: false });
    const said = Object.values(ACTIONS).flatMap(({ payload }) => {
      const validate = ajv.compile(payload);
      const names = Object.keys(payload.properties ?? {});
      return [{}, [], -1e9, 1e9, 0.5, '', '?'.repeat(200_000), true, null].flatMap((value) => {
        validate({ ...Object.fromEntries(names.map((name) => [name, value])), other: 1 });
        return validate.errors ?? [];
      });
    });
    const sentences = [...new Set(said.flatMap(({ message }) => message ?? []))];
    expect(sentences.length).toBeGreaterThan(10);
    expect(sentences.filter((sentence) => !isKorean(serverWords(sentence, 'ko')))).toEqual([]);
  });

  it('are known of what services refuse to people', () => {
    const server = join(__dirname, '../../../../api/src');
    const files = readdirSync(server, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !/\.spec\.ts$|agent|artifacts|install|upgrade|core\/config|openid/.test(name),
    );
    const said = files.flatMap((name) =>
      [...readFileSync(join(server, name), 'utf8').matchAll(/(?:message: |new Forbidden\()'([^']+)'/g)].flatMap(
        ([, sentence]) => sentence ?? [],
      ),
    );
    expect(said.length).toBeGreaterThan(25);
    expect(said.filter((sentence) => !isKorean(serverWords(sentence, 'ko')))).toEqual([]);
  });

  it('are told one by one, with the field and the grant that they name', () => {
    expect(serverWords('name must be a string; name should not be empty', 'ko')).toBe(
      '문자열이어야 합니다; 꼭 필요한 항목입니다',
    );
    expect(serverWords('payload.copies: must be <= 3 (the limit of your grant)', 'ko')).toBe(
      'payload.copies: 3 이하여야 합니다 (허용된 범위의 제한)',
    );
    expect(serverWords('your rights have changed since this export was ordered; order it again', 'ko')).toBe(
      '요청한 뒤 권한이 바뀌었습니다. 다시 요청하세요',
    );
  });
});

describe('what the server says', () => {
  it('is told in Korean where it is known, with what it names', () => {
    expect(serverWords('must have at least 12 characters', 'ko')).toBe('12자 이상이어야 합니다');
    expect(serverWords('You need the permission users.manage', 'ko')).toBe('users.manage 권한이 필요합니다');
    expect(serverWords('something new', 'ko')).toBe('something new');
    expect(serverWords('is wrong', 'en')).toBe('is wrong');
  });

  it('of a refusal is its own sentence, which says what is lacking', () => {
    expect(
      refusalWords(problem({ code: 'forbidden', detail: 'You cannot take what you do not have: a' }), 'ko'),
    ).toContain(': a');
    expect(refusalWords(problem({ code: 'last_admin', detail: 'x' }), 'en')).toBeNull();
    expect(refusalWords(null, 'en')).toBeNull();
    const errors = [{ path: 'payload.copies', message: 'must be <= 3' }];
    expect(
      refusalWords(problem({ code: 'not_granted', detail: 'payload.copies: must be <= 3', errors }), 'en'),
    ).toBeNull();
  });

  it('of a problem is told by its code, or else by its own sentence in the language of the reader', () => {
    expect(problemWords(problem({ code: 'not_granted', detail: 'x' }), en, 'en')).toBe(en.problems.not_granted);
    expect(problemWords(problem({ code: 'new', detail: 'You need the permission a.b' }), ko, 'ko')).toBe(
      'a.b 권한이 필요합니다',
    );
    expect(problemWords(problem({ code: 'constructor' }), en, 'en')).toBe(en.problems.unknown);
  });

  it('about a field stands at the field, and only the rest above the form', () => {
    const form = new FormGroup({ name: new FormControl('a'), roles: new FormControl('b') });
    const errors = [
      { path: 'name', message: 'is taken' },
      { path: 'roles[1]', message: 'there is no role x' },
      { path: 'elsewhere', message: 'is odd' },
    ];
    expect(showFaults(form, problem({ errors }))?.errors).toEqual([errors[2]]);
    expect(form.controls.name.errors).toEqual({ server: 'is taken' });
    expect(form.controls.roles.errors).toEqual({ server: 'there is no role x' });
    form.controls.name.setValue('b');
    expect(form.controls.name.errors).toBeNull();
    expect(showFaults(form, problem({ errors: errors.slice(0, 1) }))).toBeNull();
    expect(showFaults(form, problem({ detail: 'no fields' }))?.detail).toBe('no fields');
  });
});
