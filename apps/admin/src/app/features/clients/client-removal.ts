import { Dialog } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, inject, input, signal } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { Router } from '@angular/router';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Client } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { confirmed } from '../../shared/confirm-dialog';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { ClientsApi } from './clients-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Removes a client, once its name has been typed. */
@Component({
  selector: 'gw-client-removal',
  imports: [Icon, MatButtonModule, ProblemNotice],
  template: `
    <section aria-labelledby="removal">
      <h2 id="removal">{{ words().remove.title }}</h2>
      <p>{{ words().remove.lead }}</p>
      @if (problem(); as problem) {
        <gw-problem-notice [problem]="problem" />
      }
      <button
        matButton="outlined"
        class="gw-danger"
        type="button"
        [disabled]="busy()"
        disabledInteractive
        (click)="remove()"
      >
        <gw-icon matButtonIcon name="delete" />{{ words().remove.button }}
      </button>
    </section>
  `,
  styles: `
    p {
      margin: 0 0 12px;
      color: var(--mat-sys-on-surface-variant);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientRemoval {
  readonly client = input.required<Client>();

  private readonly api = inject(ClientsApi);
  private readonly dialog = inject(Dialog);
  private readonly router = inject(Router);
  protected readonly words = inject(I18n).words({ en, ko });
  protected readonly busy = signal(false);
  protected readonly problem = signal<Problem | null>(null);

  protected async remove(): Promise<void> {
    const { id, name } = this.client();
    const { button, lead, title } = this.words().remove;
    if (!(await confirmed(this.dialog, { title: `${title}: ${name}`, lead, button, typed: name }))) return;
    this.busy.set(true);
    this.problem.set(null);
    try {
      await this.api.remove(id);
      await this.router.navigate(['/clients']);
    } catch (error) {
      this.problem.set(toProblem(error));
    } finally {
      this.busy.set(false);
    }
  }
}
