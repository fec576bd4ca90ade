import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatMenuModule } from '@angular/material/menu';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import type { AuditExportFormat, AuditItem } from '@gwanje/contracts';
import { type Problem, toProblem } from '../../core/http/problem';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { loadAgainWhenBack } from '../../shared/load-again';
import { ProblemNotice } from '../../shared/problem-notice';
import { AuditApi } from './audit-api';
import { type FilterParams, filterOf, fromLocalInput, toLocalInput } from './audit-filter';
import { targetWords, whatWords, whoWords } from './audit-words';
import { en } from './words/en';
import { ko } from './words/ko';

const FORMATS = ['csv', 'ndjson'] as const satisfies readonly AuditExportFormat[];

/** The audit log, newest first; the filters are in the address, and what they show can be exported. */
@Component({
  selector: 'gw-audit-page',
  imports: [
    EmptyState,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatMenuModule,
    MatProgressBarModule,
    MatSelectModule,
    ProblemNotice,
    RouterLink,
  ],
  templateUrl: './audit.page.html',
  styleUrl: './audit.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class AuditPage {
  readonly actor = input<string>();
  readonly action = input<string>();
  readonly target = input<string>();
  readonly from = input<string>();
  readonly to = input<string>();
  readonly outcome = input<string>();

  private readonly api = inject(AuditApi);
  private readonly router = inject(Router);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly displayed = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly formats = FORMATS;

  protected readonly filter = computed(() =>
    filterOf({
      actor: this.actor(),
      action: this.action(),
      target: this.target(),
      from: this.from(),
      to: this.to(),
      outcome: this.outcome(),
    }),
  );
  protected readonly filtered = computed(() => Object.keys(this.filter()).length > 0);
  protected readonly fromShown = computed(() => toLocalInput(this.filter().from));
  protected readonly toShown = computed(() => toLocalInput(this.filter().to));
  /** Every action that has words, and the families of them. */
  protected readonly actionNames = computed(() => {
    const names = Object.keys(this.words().actions);
    const families = new Set(names.filter((name) => name.includes('.')).map((name) => `${name.split('.')[0]}.*`));
    return [...families, ...names].sort();
  });
  protected readonly mayExport = computed(() => this.user()?.permissions.includes('audit.export') ?? false);

  protected readonly rows = signal<readonly AuditItem[]>([]);
  protected readonly nextCursor = signal<string | null>(null);
  protected readonly loading = signal<'first' | 'more' | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly ordering = new Attempt();
  /** Rises with each question: the answer to an earlier one is dropped. */
  private question = 0;

  constructor() {
    effect(() => {
      this.filter();
      untracked(() => void this.load());
    });
    loadAgainWhenBack(this.problem, () => this.load());
  }

  protected load(): Promise<void> {
    this.question++;
    this.rows.set([]);
    this.nextCursor.set(null);
    return this.read('first');
  }

  protected more(): Promise<void> {
    return this.loading() === null ? this.read('more') : Promise.resolve();
  }

  protected narrow(change: { [K in keyof FilterParams]?: string | null }): void {
    void this.router.navigate([], { queryParams: change, queryParamsHandling: 'merge' });
  }

  protected clear(): void {
    this.narrow({ actor: null, action: null, target: null, from: null, to: null, outcome: null });
  }

  protected instant(value: string): string | null {
    return fromLocalInput(value);
  }

  protected async order(format: AuditExportFormat): Promise<void> {
    const done = await this.ordering.run(async () => void (await this.api.order(format, this.filter())));
    if (done) await this.router.navigate(['/audit/exports']);
  }

  protected whatOf({ action }: AuditItem): string {
    return whatWords(action, this.words());
  }

  protected whoOf(item: AuditItem): string {
    return whoWords(item, this.words());
  }

  protected targetOf(item: AuditItem): string {
    return targetWords(item, this.words());
  }

  private async read(which: 'first' | 'more'): Promise<void> {
    const { question } = this;
    this.loading.set(which);
    this.problem.set(null);
    try {
      const { items, nextCursor } = await this.api.list(this.filter(), this.nextCursor() ?? undefined);
      if (question !== this.question) return;
      this.rows.update((rows) => [...rows, ...items]);
      this.nextCursor.set(nextCursor);
    } catch (error) {
      if (question !== this.question) return;
      this.problem.set(toProblem(error));
    }
    this.loading.set(null);
  }
}
