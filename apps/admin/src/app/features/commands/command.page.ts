import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { RouterLink } from '@angular/router';
import { EMERGENCY_PRIORITY, END_STATES, LEGAL_MOVES } from '@gwanje/contracts';
import { auditTime, filter, merge } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Command, CommandLog } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { ListFilters } from '../../shared/list-filters';
import { ProblemNotice } from '../../shared/problem-notice';
import { injectServerWords } from '../../shared/server-words';
import { StateChip } from '../../shared/state-chip';
import { ClientNames } from './client-names';
import { type Artifact, CommandsApi } from './commands-api';
import { durationOf } from './duration';
import { Files } from './files';
import { OutputFeed } from './output/output-feed';
import { OutputView } from './output/output-view';
import { en } from './words/en';
import { ko } from './words/ko';

const GATHER_MS = 150;
const TIMES = ['createdAt', 'notBefore', 'expiresAt', 'dispatchedAt', 'startedAt', 'completedAt'] as const;
const TIME_WORDS = {
  createdAt: 'created',
  notBefore: 'notBefore',
  expiresAt: 'expires',
  dispatchedAt: 'dispatched',
  startedAt: 'started',
  completedAt: 'completed',
} as const;

interface Shown {
  command: Command;
  logs: CommandLog[];
  artifacts: Artifact[];
}

/** One command: what was asked, what came of it, what it printed, and its history; read again when there is news of it. */
@Component({
  selector: 'gw-command-page',
  imports: [
    EmptyState,
    Files,
    Icon,
    MatButtonModule,
    MatProgressBarModule,
    OutputView,
    ProblemNotice,
    RouterLink,
    StateChip,
  ],
  providers: [ClientNames, OutputFeed],
  templateUrl: './command.page.html',
  styleUrl: './command.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class CommandPage {
  readonly id = input.required<string>();

  private readonly api = inject(CommandsApi);
  private readonly events = inject(EventStream);
  private readonly user = inject(Session).user;
  private readonly names = inject(ClientNames);
  private readonly feed = inject(OutputFeed);
  protected readonly formats = inject(Formats);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly filters = inject(ListFilters).of('/commands');
  protected readonly inWords = injectServerWords();

  protected readonly shown = signal<Shown | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly busy = signal(false);
  protected readonly command = computed(() => this.shown()?.command ?? null);
  protected readonly isLive = computed(() => this.events.connection().state === 'live');
  protected readonly clientName = computed(() => this.names.of(this.command()?.clientId ?? ''));
  protected readonly isEmergency = computed(() => this.command()?.priority === EMERGENCY_PRIORITY);
  protected readonly hasEnded = computed(() => END_STATES.some((state) => state === this.command()?.status));
  protected readonly duration = computed(() => {
    const command = this.command();
    return command && durationOf(command);
  });
  protected readonly times = computed(() => {
    const command = this.command();
    return TIMES.flatMap((key) => {
      const time = command?.[key];
      return time ? [{ name: this.words().command[TIME_WORDS[key]], time }] : [];
    });
  });
  protected readonly mayCancel = computed(() => !this.hasEnded() && this.may('commands.cancel'));
  protected readonly mayRetry = computed(() => {
    const command = this.command();
    return command !== null && LEGAL_MOVES[command.status].includes('pending') && this.may('commands.retry');
  });

  constructor() {
    effect(() => {
      const id = this.id();
      untracked(() => {
        this.shown.set(null);
        this.feed.watch(id);
        void this.load();
      });
    });
    const news = this.events.news('command').pipe(filter(({ id }) => id === this.id()));
    merge(news, this.events.opened)
      .pipe(auditTime(GATHER_MS), takeUntilDestroyed())
      .subscribe(() => void this.load());
  }

  protected async load(): Promise<void> {
    const id = this.id();
    try {
      const command = await this.api.get(id);
      // After the command: whatever it says has ended is then complete here.
      const [logs, artifacts] = await Promise.all([this.api.logs(id), this.api.artifacts(id)]);
      void this.names.meet([command.clientId]);
      if (id !== this.id()) return;
      this.shown.set({ command, logs, artifacts });
      if (!this.hasEnded()) this.feed.resume(id);
      this.problem.set(null);
    } catch (error) {
      if (id === this.id()) this.problem.set(toProblem(error));
    }
  }

  protected refresh(): void {
    this.events.reconnect();
    void this.load();
  }

  protected async act(action: 'cancel' | 'retry'): Promise<void> {
    this.busy.set(true);
    try {
      await this.api[action](this.id());
      await this.load();
    } catch (error) {
      this.problem.set(toProblem(error));
    } finally {
      this.busy.set(false);
    }
  }

  protected pretty(value: unknown): string {
    return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  }

  /** What a state means that does not speak for itself, and what to do. */
  protected explained(): string | null {
    const status = this.command()?.status;
    return (this.words().explained as Partial<Record<string, string>>)[status ?? ''] ?? null;
  }

  /** How long it took from one entry of the history to the next. */
  protected since(logs: readonly CommandLog[], index: number): string | null {
    const [from, to] = [logs[index - 1], logs[index]];
    return from && to ? this.formats.duration(Date.parse(to.createdAt) - Date.parse(from.createdAt)) : null;
  }

  protected eventWords(event: string): string {
    return ({ ...this.text().states, ...this.words().events } as Record<string, string>)[event] ?? event;
  }

  private may(permission: 'commands.cancel' | 'commands.retry'): boolean {
    return this.user()?.permissions.includes(permission) ?? false;
  }
}
