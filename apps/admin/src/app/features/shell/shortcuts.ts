import { Dialog, type DialogConfig, type DialogRef } from '@angular/cdk/dialog';
import { createGlobalPositionStrategy } from '@angular/cdk/overlay';
import { afterNextRender, DOCUMENT, inject, Injectable, Injector, type Type } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { Router } from '@angular/router';
import { fromEvent } from 'rxjs';
import { I18n } from '../../core/i18n/i18n';
import { NewVersion } from '../../core/new-version';
import { Session } from '../../core/session/session';
import { pagesOf } from '../../pages';

/** How long `g` waits for the letter of a page. */
const SEQUENCE_MS = 1_500;
const SEARCH = 'main :is(input[type=search], [role=search] input)';
const WRITABLE = 'input, textarea, select, [contenteditable], [role=menu], [role=listbox], [role=combobox]';

/** The keys of the whole console; never while somebody types, or in a menu or dialog, where keys mean something else. */
@Injectable()
export class Shortcuts {
  private readonly dialog = inject(Dialog);
  private readonly router = inject(Router);
  private readonly document = inject(DOCUMENT);
  private readonly injector = inject(Injector);
  private readonly newVersion = inject(NewVersion);
  private readonly user = inject(Session).user;
  private readonly text = inject(I18n).text;
  private goesUntil = 0;

  constructor() {
    fromEvent<KeyboardEvent>(this.document, 'keydown')
      .pipe(takeUntilDestroyed())
      .subscribe((event) => this.press(event));
    // So that it is there at once when somebody types on.
    afterNextRender(() => void loadPalette().catch(() => undefined));
  }

  openPalette(): void {
    const positionStrategy = createGlobalPositionStrategy(this.injector).centerHorizontally().top('10vh');
    void this.open(loadPalette, { positionStrategy, ariaLabel: this.text().palette.title });
  }

  openList(): void {
    const list = (): Promise<Type<unknown>> => import('./shortcut-list').then((m) => m.ShortcutList);
    void this.open(list, { ariaLabelledBy: 'shortcuts' });
  }

  private press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const letter = letterOf(event);
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && letter === 'k') {
      event.preventDefault();
      this.openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isWritable(event.target) || this.isCovered()) return;
    const goes = Date.now() < this.goesUntil;
    this.goesUntil = 0;
    if (goes && letter) this.go(letter, event);
    else if (letter === 'g') this.goesUntil = Date.now() + SEQUENCE_MS;
    else if (event.key === '?') this.openList();
    else if (event.key === '/') this.search(event);
  }

  private go(letter: string, event: Event): void {
    const page = pagesOf(this.user()).find(({ key }) => key === letter);
    if (!page) return;
    event.preventDefault();
    void this.router.navigate(['/', page.path]);
  }

  private search(event: Event): void {
    event.preventDefault();
    const field = this.document.querySelector<HTMLInputElement>(SEARCH);
    if (!field) return this.openPalette();
    field.focus();
    field.select();
  }

  private async open(load: () => Promise<Type<unknown>>, config: DialogConfig<unknown, DialogRef>): Promise<void> {
    if (this.isCovered()) return;
    let component: Type<unknown>;
    try {
      component = await load();
    } catch (error) {
      return this.newVersion.load(error, this.router.url);
    }
    if (!this.isCovered()) this.dialog.open(component, { ...config, panelClass: 'gw-dialog', ariaModal: true });
  }

  private isCovered(): boolean {
    return this.document.querySelector('[aria-modal=true]') !== null;
  }
}

const loadPalette = (): Promise<Type<unknown>> => import('./palette').then((m) => m.Palette);

/** Also on a keyboard that writes no Latin letters, such as the Korean one: the key in the place of that letter. */
function letterOf({ key, code }: KeyboardEvent): string | null {
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  return /^Key[A-Z]$/.test(code) ? code.slice(3).toLowerCase() : null;
}

function isWritable(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(WRITABLE) !== null;
}
