import { DialogRef } from '@angular/cdk/dialog';
import { HttpClient } from '@angular/common/http';
import {
  afterRenderEffect,
  ChangeDetectionStrategy,
  Component,
  computed,
  ElementRef,
  inject,
  signal,
} from '@angular/core';
import { toObservable, toSignal } from '@angular/core/rxjs-interop';
import { Router } from '@angular/router';
import { catchError, debounceTime, map, type Observable, of, switchMap } from 'rxjs';
import type { Client, Page } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { ACTIONS, pagesOf } from '../../pages';
import { Icon, type IconName } from '../../shared/icon';

const TYPING_MS = 150;
const MOST_CLIENTS = 8;

interface Choice {
  id: string;
  label: string;
  icon: IconName;
  link: string;
}

/** One field that leads anywhere: pages, things to do, and clients by a part of their name. A combobox with a list below it. */
@Component({
  selector: 'gw-palette',
  imports: [Icon],
  templateUrl: './palette.html',
  styleUrl: './palette.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class Palette {
  private readonly dialog = inject<DialogRef>(DialogRef);
  private readonly router = inject(Router);
  private readonly http = inject(HttpClient);
  private readonly user = inject(Session).user;
  private readonly element = inject<ElementRef<HTMLElement>>(ElementRef);
  protected readonly formats = inject(Formats);
  protected readonly text = inject(I18n).text;

  protected readonly query = signal('');
  private readonly clients = toSignal<Client[], Client[]>(
    toObservable(this.query).pipe(
      debounceTime(TYPING_MS),
      switchMap((query) => this.clientsLike(query.trim())),
    ),
    { initialValue: [] },
  );
  protected readonly groups = computed(() => {
    const { titles, palette } = this.text();
    const wanted = this.query().trim().toLowerCase();
    const matches = (...words: string[]): boolean => words.some((word) => word.toLowerCase().includes(wanted));
    const pages = pagesOf(this.user())
      .filter(({ path }) => matches(path, titles[path]))
      .map(({ path, icon }): Choice => ({ id: path, label: titles[path], icon, link: `/${path}` }));
    const actions = ACTIONS.filter(({ permissions }) => may(this.user(), ...permissions))
      .filter(({ title, link }) => matches(link, titles[title]))
      .map(({ title, icon, link }): Choice => ({ id: title, label: titles[title], icon, link }));
    const clients = this.clients().map(({ id, name }): Choice => ({
      id,
      label: name,
      icon: 'clients',
      link: `/clients/${id}`,
    }));
    const groups = [
      { name: palette.pages, choices: pages },
      { name: palette.actions, choices: actions },
      { name: palette.clients, choices: wanted ? clients : [] },
    ];
    return groups.filter(({ choices }) => choices.length > 0);
  });
  protected readonly choices = computed(() => this.groups().flatMap(({ choices }) => choices));
  private readonly wanted = signal<string | null>(null);
  /** The one that Enter takes: the chosen one as long as it is there, else the first. */
  protected readonly current = computed(
    () => this.choices().find(({ id }) => id === this.wanted()) ?? this.choices()[0] ?? null,
  );

  constructor() {
    afterRenderEffect(() => {
      const current = this.current();
      if (!current) return;
      const option = this.element.nativeElement.querySelector('[aria-selected=true]');
      option?.scrollIntoView?.({ block: 'nearest' });
    });
  }

  protected type(query: string): void {
    this.query.set(query);
    this.wanted.set(null);
  }

  protected press(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const choices = this.choices();
      const at = choices.findIndex(({ id }) => id === this.current()?.id);
      this.wanted.set(choices.at((at + step) % choices.length)?.id ?? null);
    } else if (event.key === 'Enter') this.take(this.current());
    else return;
    event.preventDefault();
  }

  protected take(choice: Choice | null): void {
    if (!choice) return;
    this.dialog.close();
    void this.router.navigateByUrl(choice.link);
  }

  private clientsLike(q: string): Observable<Client[]> {
    if (!q || !may(this.user(), 'clients.read')) return of([]);
    return this.http.get<Page<Client>>('/api/clients', { params: { q, limit: MOST_CLIENTS } }).pipe(
      map(({ items }) => items),
      catchError(() => of([])),
    );
  }
}
