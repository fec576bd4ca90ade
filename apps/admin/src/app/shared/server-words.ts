import { inject } from '@angular/core';
import type { Problem } from '../core/http/problem';
import type { Catalogue } from '../core/i18n/en';
import { I18n, type Language } from '../core/i18n/i18n';
import { KOREAN } from './server-words.ko';

/** Says of a value that it is a grant, and not the action itself, that forbids it. */
const LIMIT = / \(the limit of your grant\)$/;
/** `path: message`, as faults stand in a detail. */
const FAULT = /^([\w.[\]-]+): (.+)$/;

/** What the server says, one sentence or several with semicolons, in the language of the reader; as it is where there is no translation. */
export function serverWords(said: string, language: Language): string {
  if (language === 'en') return said;
  return (
    translated(said) ??
    said
      .split('; ')
      .map((part) => translated(part) ?? part)
      .join('; ')
  );
}

/** The same for the template of a component, in the language of the moment. */
export function injectServerWords(): (said: string) => string {
  const { language } = inject(I18n);
  return (said) => serverWords(said, language());
}

function translated(sentence: string): string | null {
  const bare = sentence.replace(LIMIT, '');
  const known = KOREAN.find(([pattern]) => pattern.test(bare));
  if (known) return bare.replace(known[0], known[1]) + (bare === sentence ? '' : ' (허용된 범위의 제한)');
  const [, path, message] = FAULT.exec(sentence) ?? [];
  const fault = message === undefined ? null : translated(message);
  return fault && `${path}: ${fault}`;
}

/** Of a refusal whose reason only the server's own sentence tells; null where the general words, or faults of their own, are better. */
export function refusalWords(problem: Problem | null, language: Language): string | null {
  if (!problem || !['forbidden', 'not_granted'].includes(problem.code) || !problem.detail) return null;
  return problem.errors.length > 0 ? null : serverWords(problem.detail, language);
}

/** What to tell a person: words of the catalogue for a known code, else the server's own sentence. */
export function problemWords({ code, detail }: Problem, { problems }: Catalogue, language: Language): string {
  const { requestId: _, ...byCode } = problems;
  if (Object.hasOwn(byCode, code)) return byCode[code as keyof typeof byCode];
  return detail ? serverWords(detail, language) : problems.unknown;
}
