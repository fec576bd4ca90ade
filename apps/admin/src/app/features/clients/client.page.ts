import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { RouterLink } from '@angular/router';
import { auditTime, filter, merge } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Client } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { actions as actionsInEnglish } from '../../shared/action-words.en';
import { actions as actionsInKorean } from '../../shared/action-words.ko';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { ListFilters } from '../../shared/list-filters';
import { OnlineState } from '../../shared/online-state';
import { ProblemNotice } from '../../shared/problem-notice';
import { ClientCommands } from './client-commands';
import { ClientKeys } from './client-keys';
import { ClientRemoval } from './client-removal';
import { ClientRights } from './client-rights';
import { ClientSettingsForm } from './client-settings';
import { ClientsApi } from './clients-api';
import { listOf } from './labels';
import { en } from './words/en';
import { ko } from './words/ko';

const GATHER_MS = 150;

/** One client: how it is, what it can do, what it does, and, for those who may, its settings, rights and keys. */
@Component({
  selector: 'gw-client-page',
  imports: [
    ClientCommands,
    ClientKeys,
    ClientRemoval,
    ClientRights,
    ClientSettingsForm,
    EmptyState,
    Icon,
    MatButtonModule,
    MatProgressBarModule,
    OnlineState,
    ProblemNotice,
    RouterLink,
  ],
  templateUrl: './client.page.html',
  styleUrl: './client.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientPage {
  readonly id = input.required<string>();

  private readonly api = inject(ClientsApi);
  private readonly events = inject(EventStream);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  private readonly actionWords = this.i18n.words({ en: actionsInEnglish, ko: actionsInKorean });

  /** Of the list that one came from. */
  protected readonly filters = inject(ListFilters).of('/clients');
  protected readonly client = signal<Client | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly isLive = computed(() => this.events.connection().state === 'live');
  protected readonly labels = computed(() => listOf(this.client()?.labels ?? {}));
  protected readonly actions = computed(() =>
    (this.client()?.agent?.actions ?? []).map(({ name }) => ({
      name,
      description: this.actionWords()[name]?.[1] ?? this.words().client.ownAction,
    })),
  );
  protected readonly maySend = computed(() => may(this.user(), 'commands.create'));
  protected readonly mayReadCommands = computed(() => may(this.user(), 'commands.read'));
  protected readonly mayManage = computed(() => may(this.user(), 'clients.manage'));
  protected readonly mayReadRights = computed(() => may(this.user(), 'grants.manage'));

  constructor() {
    effect(() => {
      this.id();
      untracked(() => {
        this.client.set(null);
        void this.load();
      });
    });
    const news = this.events.news('client').pipe(filter(({ id }) => id === this.client()?.id));
    merge(news, this.events.opened)
      .pipe(auditTime(GATHER_MS), takeUntilDestroyed())
      .subscribe(() => void this.load());
  }

  protected async load(): Promise<void> {
    const id = this.id();
    try {
      const client = await this.api.get(id);
      if (id !== this.id()) return;
      this.client.set(client);
      this.problem.set(null);
    } catch (error) {
      if (id !== this.id()) return;
      this.problem.set(toProblem(error));
      // It was removed, or may not be seen any more.
      if (this.problem()?.status === 404) this.client.set(null);
    }
  }

  protected refresh(): void {
    this.events.reconnect();
    void this.load();
  }
}
