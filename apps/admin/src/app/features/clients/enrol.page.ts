import { ChangeDetectionStrategy, Component, computed, DOCUMENT, inject, signal, viewChild } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatSelectModule } from '@angular/material/select';
import { RouterLink } from '@angular/router';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Client } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { CopyText } from '../../shared/copy-text';
import { FieldFault } from '../../shared/field-fault';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { faultAt, isSendable, putFaults } from '../../shared/server-faults';
import { areSettled, TagField } from '../../shared/tag-field';
import { enrolLine, installLine } from './agent-lines';
import { ClientsApi, type EnrolmentToken } from './clients-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Milliseconds for which a token is valid. */
const PERIODS = { hour: 3_600_000, day: 86_400_000, week: 604_800_000, month: 2_592_000_000 } as const;
type Period = keyof typeof PERIODS;

/** Makes a token with which machines enrol themselves, and shows the line to paste there, once; tells when one has come. */
@Component({
  selector: 'gw-enrol-page',
  imports: [
    CopyText,
    FieldFault,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
    RouterLink,
    TagField,
  ],
  templateUrl: './enrol.page.html',
  styleUrl: './form.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class EnrolPage {
  private readonly api = inject(ClientsApi);
  private readonly i18n = inject(I18n);
  private readonly origin = inject(DOCUMENT).location.origin;
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly periods = Object.keys(PERIODS) as Period[];
  protected readonly faultAt = faultAt;

  protected readonly form = new FormGroup({
    uses: new FormControl(1, {
      nonNullable: true,
      validators: [Validators.required, Validators.min(1), Validators.max(100_000), Validators.pattern(/^\d+$/)],
    }),
    period: new FormControl<Period>('day', { nonNullable: true }),
  });
  private readonly groupsField = viewChild.required(TagField);
  protected readonly groups = signal<readonly string[]>([]);
  protected readonly made = signal<(EnrolmentToken & { token: string }) | null>(null);
  protected readonly givesAgents = signal(false);
  protected readonly line = computed(() =>
    (this.givesAgents() ? installLine : enrolLine)(this.origin, this.made()?.token ?? ''),
  );
  /** The machines that were not known before the token was made. */
  protected readonly joined = signal<readonly Pick<Client, 'id' | 'name'>[]>([]);
  protected readonly open = signal<EnrolmentToken[] | null>(null);
  protected readonly busy = signal(false);
  protected readonly problem = signal<Problem | null>(null);
  private readonly known = new Set<string>();

  constructor() {
    const events = inject(EventStream);
    events.opened.pipe(takeUntilDestroyed()).subscribe(() => void this.load());
    events
      .news('client')
      .pipe(takeUntilDestroyed())
      .subscribe(({ id }) => void this.meet(id));
    void this.load();
  }

  protected async create(): Promise<void> {
    const isSettled = areSettled([this.groupsField()]);
    if (!isSendable(this.form) || !isSettled || this.busy()) return;
    await this.act(async () => {
      this.givesAgents.set(await this.api.givesAgents());
      const { uses, period } = this.form.getRawValue();
      const expiresAt = new Date(Date.now() + PERIODS[period]).toISOString();
      const made = await this.api.createEnrolmentToken({ groups: [...this.groups()], uses, expiresAt });
      this.joined.set([]);
      this.made.set(made);
    });
  }

  protected revoke({ id }: EnrolmentToken): Promise<void> {
    return this.act(() => this.api.revokeEnrolmentToken(id));
  }

  private async act(act: () => Promise<void>): Promise<void> {
    this.busy.set(true);
    this.problem.set(null);
    try {
      await act();
      await this.load();
    } catch (error) {
      const problem = toProblem(error);
      this.problem.set(problem);
      putFaults(this.form, problem);
    } finally {
      this.busy.set(false);
    }
  }

  private async load(): Promise<void> {
    try {
      const { items } = await this.api.enrolmentTokens();
      const now = Date.now();
      this.open.set(items.filter(({ usesLeft, expiresAt }) => usesLeft > 0 && Date.parse(expiresAt) > now));
    } catch (error) {
      this.problem.set(toProblem(error));
    }
  }

  /** Whether it is a machine that has just enrolled: made after the token, and not met yet. */
  private async meet(id: string): Promise<void> {
    const made = this.made();
    if (!made || this.known.has(id)) return;
    this.known.add(id);
    const client = await this.api.get(id).catch(() => null);
    if (!client || client.createdAt < made.createdAt) return;
    this.joined.update((joined) => [...joined, client]);
    await this.load();
  }
}
