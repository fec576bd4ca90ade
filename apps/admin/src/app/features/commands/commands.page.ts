import { ChangeDetectionStrategy, Component, computed, effect, inject, input, untracked } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import { ACTIONS, COMMAND_STATES, type CommandState, EMERGENCY_PRIORITY } from '@gwanje/contracts';
import { EventStream } from '../../core/events/event-stream';
import type { Command } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { injectServerWords } from '../../shared/server-words';
import { StateChip } from '../../shared/state-chip';
import { BatchProgress } from './batch-progress';
import { ClientNames } from './client-names';
import { CommandList } from './command-list';
import { durationOf } from './duration';
import { Selection } from './selection';
import { en } from './words/en';
import { ko } from './words/ko';

/** All commands, newest first and live; the filters are in the address. */
@Component({
  selector: 'gw-commands-page',
  imports: [
    BatchProgress,
    MatCheckboxModule,
    EmptyState,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatProgressBarModule,
    MatSelectModule,
    ProblemNotice,
    RouterLink,
    StateChip,
  ],
  providers: [ClientNames, CommandList, Selection],
  templateUrl: './commands.page.html',
  styleUrl: './commands.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class CommandsPage {
  readonly status = input<string>();
  readonly client = input<string>();
  readonly action = input<string>();
  readonly batch = input<string>();

  private readonly router = inject(Router);
  private readonly events = inject(EventStream);
  private readonly user = inject(Session).user;
  protected readonly list = inject(CommandList);
  protected readonly names = inject(ClientNames);
  protected readonly selection = inject(Selection);
  protected readonly formats = inject(Formats);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly inWords = injectServerWords();
  protected readonly states = COMMAND_STATES;
  protected readonly actions = Object.keys(ACTIONS);
  protected readonly emergency = EMERGENCY_PRIORITY;
  protected readonly durationOf = durationOf;

  protected readonly knownStatus = computed(() => COMMAND_STATES.find((state) => state === this.status()));
  protected readonly filtered = computed(() =>
    Boolean(this.knownStatus() ?? this.client() ?? this.action() ?? this.batch()),
  );
  protected readonly isLive = computed(() => this.events.connection().state === 'live');
  protected readonly isUnavailable = computed(() => this.events.connection().state === 'unavailable');
  protected readonly maySend = computed(() => this.user()?.permissions.includes('commands.create') ?? false);

  constructor() {
    effect(() => {
      const status = this.knownStatus();
      const clientId = this.client();
      const action = this.action();
      const batchId = this.batch();
      untracked(() => {
        this.selection.outcome.set(null);
        void this.list.load({
          ...(status && { status }),
          ...(clientId && { clientId }),
          ...(action && { action }),
          ...(batchId && { batchId }),
        });
      });
    });
  }

  protected filter(change: {
    status?: CommandState | null;
    client?: string | null;
    action?: string | null;
    batch?: string | null;
  }): void {
    void this.router.navigate([], { queryParams: change, queryParamsHandling: 'merge' });
  }

  protected clearFilters(): void {
    this.filter({ status: null, client: null, action: null, batch: null });
  }

  protected refresh(): void {
    this.events.reconnect();
    void this.list.refresh();
  }

  protected nameOf({ clientId }: Command): string {
    return this.names.of(clientId);
  }
}
