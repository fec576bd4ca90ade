import { computed, DOCUMENT, effect, inject, Injectable, type Signal, signal } from '@angular/core';
import { Preferences } from '../preferences';
import { type Catalogue, en } from './en';
import { ko } from './ko';

export const LANGUAGES = { ko: { name: '한국어', catalogue: ko }, en: { name: 'English', catalogue: en } } as const;
export type Language = keyof typeof LANGUAGES;

/** The words of the console in the chosen language; templates read `text()`, so a switch needs no reload. */
@Injectable({ providedIn: 'root' })
export class I18n {
  private readonly preferences = inject(Preferences);
  private readonly document = inject(DOCUMENT);
  private readonly chosen = signal(known(this.preferences.read('language')) ?? this.ofBrowser());

  readonly language = this.chosen.asReadonly();
  readonly text = computed<Catalogue>(() => LANGUAGES[this.chosen()].catalogue);

  constructor() {
    effect(() => (this.document.documentElement.lang = this.chosen()));
  }

  /** The words of one family of pages, which are loaded together with it: a key that one language lacks does not compile. */
  words<Words>(catalogues: Record<Language, Words>): Signal<Words> {
    return computed(() => catalogues[this.chosen()]);
  }

  choose(language: Language): void {
    this.chosen.set(language);
    this.preferences.write('language', language);
  }

  private ofBrowser(): Language {
    const wanted = this.document.defaultView?.navigator.languages ?? [];
    return wanted.map((tag) => known(tag.split('-')[0] ?? '')).find((language) => language !== null) ?? 'en';
  }
}

function known(language: string | null): Language | null {
  return language === 'ko' || language === 'en' ? language : null;
}
