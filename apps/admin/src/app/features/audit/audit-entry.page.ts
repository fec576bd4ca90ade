import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { RouterLink } from '@angular/router';
import type { AuditItem, Permission } from '@gwanje/contracts';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { ListFilters } from '../../shared/list-filters';
import { loadAgainWhenBack } from '../../shared/load-again';
import { ProblemNotice } from '../../shared/problem-notice';
import { AuditApi } from './audit-api';
import { pageOf, targetWords, whatWords, whoWords } from './audit-words';
import { differences, fieldsOf } from './differences';
import { en } from './words/en';
import { ko } from './words/ko';

/** What the pages that an entry leads to need to be read. */
const NEEDS: readonly (readonly [start: string, permission: Permission])[] = [
  ['/access/users', 'users.manage'],
  ['/access/roles', 'roles.manage'],
  ['/clients', 'clients.read'],
  ['/commands', 'commands.read'],
  ['/audit/exports', 'audit.export'],
];

/** One entry of the audit log, with what was before and what is after, field by field. */
@Component({
  selector: 'gw-audit-entry-page',
  imports: [EmptyState, Icon, MatButtonModule, MatProgressBarModule, ProblemNotice, RouterLink],
  templateUrl: './audit-entry.page.html',
  styleUrl: './audit-entry.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class AuditEntryPage {
  /** Of the entry, from the address. */
  readonly id = input.required<string>();

  private readonly api = inject(AuditApi);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  /** Of the list that one came from. */
  protected readonly filters = inject(ListFilters).of('/audit');
  protected readonly reading = new Attempt();
  protected readonly item = signal<AuditItem | null>(null);
  protected readonly showsSame = signal(false);

  protected readonly what = computed(() => this.told((item) => whatWords(item.action, this.words())));
  protected readonly who = computed(() => this.told((item) => whoWords(item, this.words())));
  protected readonly kindOfActor = computed(() =>
    this.told(({ actor }) =>
      [this.words().by[actor.type], ...(actor.tokenId ? [this.words().withToken] : [])].join(', '),
    ),
  );
  protected readonly target = computed(() => this.told((item) => targetWords(item, this.words())));
  protected readonly actorPage = computed(() => {
    const actor = this.item()?.actor;
    return actor ? this.allowed(pageOf(actor.type, actor.id)) : null;
  });
  protected readonly targetPage = computed(() => {
    const target = this.item()?.target;
    return target ? this.allowed(pageOf(target.type, target.id)) : null;
  });
  protected readonly clientPage = computed(() => {
    const item = this.item();
    return item && item.target.type !== 'client' ? this.allowed(pageOf('client', item.clientId)) : null;
  });

  protected readonly fields = computed(() => differences(this.item()?.before, this.item()?.after));
  protected readonly same = computed(() => this.fields().filter(({ kind }) => kind === 'same'));
  protected readonly shown = computed(() =>
    this.showsSame() ? this.fields() : this.fields().filter(({ kind }) => kind !== 'same'),
  );
  protected readonly title = computed(() => {
    const item = this.item();
    const { entry } = this.words();
    if (item?.before === null) return entry.created;
    return item?.after === null ? entry.removed : entry.changes;
  });
  protected readonly detail = computed(() => [...fieldsOf(this.item()?.detail)]);
  protected readonly isTruncated = computed(() => {
    const item = this.item();
    return [item?.before, item?.after, item?.detail].some(
      (part) => typeof part === 'object' && part !== null && 'truncated' in part,
    );
  });
  protected readonly whole = computed(() => JSON.stringify(this.item(), null, 2));

  constructor() {
    effect(() => {
      this.id();
      untracked(() => void this.load());
    });
    loadAgainWhenBack(this.reading.problem, () => this.load());
  }

  protected load(): Promise<boolean> {
    this.showsSame.set(false);
    return this.reading.run(async () => this.item.set(await this.api.entry(this.id())));
  }

  private told(words: (item: AuditItem) => string): string {
    const item = this.item();
    return item ? words(item) : '';
  }

  private allowed(page: string[] | null): string[] | null {
    const needed = NEEDS.find(([start]) => page?.[0] === start)?.[1];
    return needed && this.user()?.permissions.includes(needed) ? page : null;
  }
}
