import { BreakpointObserver } from '@angular/cdk/layout';
import { ScrollingModule } from '@angular/cdk/scrolling';
import { ChangeDetectionStrategy, Component, computed, effect, inject, input, untracked } from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import { EventStream } from '../../core/events/event-stream';
import type { Client } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { OnlineState } from '../../shared/online-state';
import { ProblemNotice } from '../../shared/problem-notice';
import { type ClientFilters, ClientList } from './client-list';
import { listOf } from './labels';
import { en } from './words/en';
import { ko } from './words/ko';

const STATES = ['online', 'offline'] as const;
const NARROW = '(max-width: 1100px)';
/** Height of a row in pixels, the same as in the style sheet. */
const ROW_HEIGHT = 48;
const CARD_HEIGHT = 88;

/** All clients, live; only the rows in view are drawn. The filters are in the address. */
@Component({
  selector: 'gw-clients-page',
  imports: [
    EmptyState,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatProgressBarModule,
    MatSelectModule,
    OnlineState,
    ProblemNotice,
    RouterLink,
    ScrollingModule,
  ],
  providers: [ClientList],
  templateUrl: './clients.page.html',
  styleUrl: './clients.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientsPage {
  readonly status = input<string>();
  readonly group = input<string>();
  readonly label = input<string>();
  readonly update = input<string>();
  readonly q = input<string>();

  private readonly router = inject(Router);
  private readonly events = inject(EventStream);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly list = inject(ClientList);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly states = STATES;
  private readonly breakpoint = toSignal(inject(BreakpointObserver).observe(NARROW));
  protected readonly rowHeight = computed(() => (this.breakpoint()?.matches ? CARD_HEIGHT : ROW_HEIGHT));

  protected readonly knownStatus = computed(() => STATES.find((state) => state === this.status()));
  protected readonly knownUpdate = computed(() => (this.update() === 'rolled_back' ? 'rolled_back' : undefined));
  protected readonly filtered = computed(() =>
    Boolean(this.knownStatus() ?? this.group() ?? this.label() ?? this.knownUpdate() ?? this.q()),
  );
  protected readonly isLive = computed(() => this.events.connection().state === 'live');
  protected readonly mayManage = computed(() => may(this.user(), 'clients.manage'));
  /** The one of the address is offered too, if no client is in it now. */
  protected readonly groups = computed(() => [
    ...new Set([...this.list.groups(), ...(this.group() ? [this.group()] : [])]),
  ]);

  constructor() {
    effect(() => {
      const filters: ClientFilters = {
        status: this.knownStatus(),
        group: this.group(),
        label: this.label(),
        update: this.knownUpdate(),
        q: this.q(),
      };
      untracked(() => this.list.filters.set(filters));
    });
  }

  protected filter(change: Partial<Record<keyof ClientFilters, string | null>>): void {
    void this.router.navigate([], { queryParams: change, queryParamsHandling: 'merge', replaceUrl: true });
  }

  protected clearFilters(): void {
    this.filter({ status: null, group: null, label: null, update: null, q: null });
  }

  protected refresh(): void {
    this.events.reconnect();
    void this.list.load();
  }

  protected readonly byId = (_at: number, { id }: Client): string => id;

  protected labelsOf(client: Client): string {
    return listOf(client.labels).join(', ');
  }
}
