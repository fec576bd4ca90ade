import {
  ChangeDetectionStrategy,
  Component,
  effect,
  inject,
  input,
  output,
  signal,
  untracked,
  viewChild,
} from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { ReactiveFormsModule } from '@angular/forms';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Client } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { ProblemNotice } from '../../shared/problem-notice';
import { putFaults } from '../../shared/server-faults';
import { ClientFields, clientForm } from './client-fields';
import { type ClientSettings, ClientsApi } from './clients-api';
import { labelsOf, listOf } from './labels';
import { en } from './words/en';
import { ko } from './words/ko';

/** Changes a client's settings. Sends only what was changed, and keeps what was typed when the server refuses it. */
@Component({
  selector: 'gw-client-settings',
  imports: [ClientFields, MatButtonModule, ProblemNotice, ReactiveFormsModule],
  template: `
    <section aria-labelledby="settings">
      <h2 id="settings">{{ words().settings.title }}</h2>
      @if (problem(); as problem) {
        <gw-problem-notice [problem]="problem" />
      }
      <form [formGroup]="form" (ngSubmit)="save()" (input)="isSaved.set(false)">
        <gw-client-fields
          [form]="form"
          [problem]="problem()"
          [(groups)]="groups"
          [(labels)]="labels"
          (groupsChange)="isSaved.set(false)"
          (labelsChange)="isSaved.set(false)"
        />
        <div class="foot">
          <button matButton="filled" type="submit" [disabled]="busy()" disabledInteractive>
            {{ text().common.save }}
          </button>
          <span role="status">{{ isSaved() ? text().common.saved : '' }}</span>
        </div>
      </form>
    </section>
  `,
  styles: `
    form {
      margin-top: 16px;
    }
    .foot {
      display: flex;
      align-items: center;
      gap: 12px;
      margin-top: 16px;
    }
    span {
      color: var(--gw-good);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientSettingsForm {
  readonly client = input.required<Client>();
  readonly saved = output();

  private readonly api = inject(ClientsApi);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  private readonly fields = viewChild.required(ClientFields);
  protected readonly form = clientForm();
  protected readonly groups = signal<readonly string[]>([]);
  protected readonly labels = signal<readonly string[]>([]);
  protected readonly busy = signal(false);
  /** Whether what the fields show is what was saved last. */
  protected readonly isSaved = signal(false);
  protected readonly problem = signal<Problem | null>(null);
  /** What the fields began with. */
  private begun?: Client;

  constructor() {
    effect(() => {
      const client = this.client();
      untracked(() => this.take(client));
    });
  }

  protected async save(): Promise<void> {
    if (!this.fields().check() || this.busy()) return;
    this.busy.set(true);
    this.problem.set(null);
    this.isSaved.set(false);
    try {
      const client = await this.api.update(this.client().id, this.changes());
      this.begin(client);
      this.isSaved.set(true);
      this.saved.emit();
    } catch (error) {
      const problem = toProblem(error);
      this.problem.set(problem);
      putFaults(this.form, problem);
    } finally {
      this.busy.set(false);
    }
  }

  /** What somebody is typing here is not taken away by news of the client. */
  private take(client: Client): void {
    if (this.begun?.id === client.id && Object.keys(this.changes()).length > 0) return;
    this.begin(client);
  }

  private begin(client: Client): void {
    if (this.begun?.id !== client.id) this.isSaved.set(false);
    this.begun = client;
    this.form.reset({ name: client.name, concurrency: client.concurrency });
    this.groups.set(client.groups);
    this.labels.set(listOf(client.labels));
  }

  private changes(): Partial<ClientSettings> {
    const { begun } = this;
    if (!begun) return {};
    const { name, concurrency } = this.form.getRawValue();
    const labels = labelsOf(this.labels());
    return {
      ...(name.trim() !== begun.name && { name: name.trim() }),
      ...(concurrency !== begun.concurrency && { concurrency }),
      ...(this.groups().join('\n') !== begun.groups.join('\n') && { groups: [...this.groups()] }),
      ...(JSON.stringify(labels) !== JSON.stringify(begun.labels) && { labels }),
    };
  }
}
