import { ChangeDetectionStrategy, Component, computed, DOCUMENT, inject, signal, viewChild } from '@angular/core';
import { ReactiveFormsModule } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { RouterLink } from '@angular/router';
import { type Problem, toProblem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { CopyText } from '../../shared/copy-text';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { putFaults } from '../../shared/server-faults';
import { startLine } from './agent-lines';
import { ClientFields, clientForm } from './client-fields';
import { ClientsApi, type Keyed } from './clients-api';
import { labelsOf } from './labels';
import { en } from './words/en';
import { ko } from './words/ko';

/** Makes a client by hand, and shows its key, once. */
@Component({
  selector: 'gw-new-client-page',
  imports: [ClientFields, CopyText, Icon, MatButtonModule, ProblemNotice, ReactiveFormsModule, RouterLink],
  templateUrl: './new-client.page.html',
  styleUrl: './form.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class NewClientPage {
  private readonly api = inject(ClientsApi);
  private readonly i18n = inject(I18n);
  private readonly origin = inject(DOCUMENT).location.origin;
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  private readonly fields = viewChild.required(ClientFields);
  protected readonly form = clientForm();
  protected readonly groups = signal<readonly string[]>([]);
  protected readonly labels = signal<readonly string[]>([]);
  protected readonly made = signal<Keyed | null>(null);
  protected readonly busy = signal(false);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly start = computed(() => startLine(this.origin, this.made()?.clientKey ?? ''));

  protected async create(): Promise<void> {
    if (!this.fields().check() || this.busy()) return;
    this.busy.set(true);
    this.problem.set(null);
    try {
      const { name, concurrency } = this.form.getRawValue();
      const tags = { groups: [...this.groups()], labels: labelsOf(this.labels()) };
      this.made.set(await this.api.create({ name: name.trim(), concurrency, ...tags }));
    } catch (error) {
      const problem = toProblem(error);
      this.problem.set(problem);
      putFaults(this.form, problem);
    } finally {
      this.busy.set(false);
    }
  }

  /** The groups and labels stay: the next one is often like this one. */
  protected another(): void {
    this.made.set(null);
    this.form.reset();
  }
}
