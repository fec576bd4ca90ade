import { DOCUMENT, effect, inject, Injectable, signal } from '@angular/core';
import { Preferences } from '../preferences';

export const THEMES = ['system', 'light', 'dark'] as const;
export type ThemeName = (typeof THEMES)[number];

/** Light or dark: what the system says, until somebody chooses. The colours themselves are in styles.scss. */
@Injectable({ providedIn: 'root' })
export class Theme {
  private readonly preferences = inject(Preferences);
  private readonly root = inject(DOCUMENT).documentElement;
  private readonly chosen = signal<ThemeName>(
    THEMES.find((name) => name === this.preferences.read('theme')) ?? 'system',
  );
  readonly name = this.chosen.asReadonly();

  constructor() {
    effect(() => {
      const name = this.chosen();
      if (name === 'system') this.root.removeAttribute('data-theme');
      else this.root.setAttribute('data-theme', name);
    });
  }

  choose(name: ThemeName): void {
    this.chosen.set(name);
    this.preferences.write('theme', name);
  }
}
