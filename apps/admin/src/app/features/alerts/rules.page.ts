import { Dialog } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, computed, inject, signal, viewChildren } from '@angular/core';
import { ReactiveFormsModule } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { type AlertChannel, type AlertRule, ALERT_KINDS } from '@gwanje/contracts';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { confirmed } from '../../shared/confirm-dialog';
import { FieldFault } from '../../shared/field-fault';
import { Icon } from '../../shared/icon';
import { loadAgainWhenBack } from '../../shared/load-again';
import { ProblemNotice } from '../../shared/problem-notice';
import { faultAt, isSendable } from '../../shared/server-faults';
import { refusalWords } from '../../shared/server-words';
import { areSettled, TagField } from '../../shared/tag-field';
import { AlertsApi } from './alerts-api';
import { LABEL, RuleForm } from './rule-form';
import { en } from './words/en';
import { ko } from './words/ko';

/** What is watched, and which channels are told; one rule at a time is made or changed. */
@Component({
  selector: 'gw-rules-page',
  imports: [
    FieldFault,
    Icon,
    MatButtonModule,
    MatCheckboxModule,
    MatFormFieldModule,
    MatInputModule,
    MatProgressBarModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
    TagField,
  ],
  templateUrl: './rules.page.html',
  styleUrl: './lists.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class RulesPage {
  private readonly api = inject(AlertsApi);
  private readonly dialog = inject(Dialog);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly kinds = ALERT_KINDS;
  protected readonly numbers = ['over', 'percent', 'atLeast', 'minutes'] as const;
  protected readonly LABEL = LABEL;
  protected readonly mayManage = computed(() => may(this.user(), 'alerts.manage'));

  protected readonly rules = signal<readonly AlertRule[] | null>(null);
  protected readonly channels = signal<readonly AlertChannel[]>([]);
  protected readonly reading = new Attempt();
  protected readonly saving = new Attempt();
  protected readonly labelsFault = computed(() => faultAt(this.saving.problem(), 'labels'));
  protected readonly problemWords = computed(() => refusalWords(this.reading.problem(), this.i18n.language()));
  protected readonly said = signal('');
  /** The rule that is changed, or none for a new one; null while the form is not there. */
  protected readonly edited = signal<{ rule: AlertRule | null } | null>(null);
  private readonly tagFields = viewChildren(TagField);
  protected readonly labels = signal<readonly string[]>([]);
  protected readonly form = new RuleForm();

  constructor() {
    void this.load();
    loadAgainWhenBack(this.reading.problem, () => this.load());
  }

  protected load(): Promise<boolean> {
    return this.reading.run(() => this.read());
  }

  protected edit(rule: AlertRule | null): void {
    this.said.set('');
    this.saving.problem.set(null);
    this.form.reset();
    this.tagFields().forEach((field) => field.clear());
    if (rule) this.form.show(rule);
    this.form.offer();
    this.labels.set(Object.entries(rule?.condition.labels ?? {}).map(([key, value]) => `${key}=${value}`));
    this.edited.set({ rule });
  }

  protected async save(): Promise<void> {
    const isSettled = areSettled(this.tagFields());
    if (!isSendable(this.form) || !isSettled) return;
    const done = await this.saving.run(
      async () => {
        await this.api.saveRule(this.edited()?.rule?.id ?? null, this.form.input(this.labels()));
        await this.read();
      },
      this.form,
      /^condition\./,
    );
    if (!done) return;
    this.edited.set(null);
    this.said.set(this.words().rules.saved);
  }

  protected async remove({ id, name }: AlertRule): Promise<void> {
    const { removeTitle, removeText, remove, removed } = this.words().rules;
    this.said.set('');
    if (!(await confirmed(this.dialog, { title: removeTitle(name), lead: removeText, button: remove }))) return;
    const done = await this.saving.run(async () => {
      await this.api.removeRule(id);
      await this.read();
    });
    if (done) this.said.set(removed);
  }

  /** What it waits for, in a few words. */
  protected summaryOf({ condition }: AlertRule): string {
    const { summary } = this.words().rules;
    const number = (value: number): string => this.formats.number(value);
    switch (condition.kind) {
      case 'client_offline':
        return summary.client_offline(number(condition.minutes));
      case 'command_failed':
        return summary.command_failed;
      case 'backlog':
        return summary.backlog(number(condition.over));
      case 'error_rate':
        return summary.error_rate(number(condition.percent), number(condition.minutes), number(condition.atLeast));
    }
  }

  /** Of what it is about: group, labels, client and action. */
  protected scopeOf({ condition }: AlertRule): string {
    const labels = Object.entries(condition.labels ?? {}).map(([key, value]) => `${key}=${value}`);
    const action = 'action' in condition ? condition.action : undefined;
    return [condition.group, ...labels, condition.clientId, action].filter(Boolean).join(' · ');
  }

  /** Whoever may not see channels sees how many they are. */
  protected channelsOf({ channels }: AlertRule): string {
    const names = this.channels().flatMap(({ id, name }) => (channels.includes(id) ? [name] : []));
    if (channels.length === 0) return this.words().rules.tellsNobody;
    return names.length > 0 ? names.join(', ') : this.formats.number(channels.length);
  }

  private async read(): Promise<void> {
    if (this.mayManage()) this.channels.set(await this.api.channels());
    this.rules.set(await this.api.rules());
  }
}
