import { effect, inject, Injectable, signal } from '@angular/core';
import { Title } from '@angular/platform-browser';
import { type RouterStateSnapshot, TitleStrategy } from '@angular/router';
import type { Catalogue } from './en';
import { I18n } from './i18n';

/** The window's title: the route's `title` is a key of the catalogue's `titles`, and follows the language. */
@Injectable({ providedIn: 'root' })
export class TranslatedTitle extends TitleStrategy {
  private readonly key = signal<string | undefined>(undefined);

  constructor() {
    super();
    const title = inject(Title);
    const { text } = inject(I18n);
    effect(() => {
      const page = text().titles[this.key() as keyof Catalogue['titles']] as string | undefined;
      title.setTitle(page ? `${page} · ${text().product}` : text().product);
    });
  }

  override updateTitle(state: RouterStateSnapshot): void {
    this.key.set(this.buildTitle(state));
  }
}
