import { ChangeDetectionStrategy, Component, computed, inject, input } from '@angular/core';
import type { Problem } from '../core/http/problem';
import { I18n } from '../core/i18n/i18n';
import { Icon } from './icon';
import { injectServerWords, problemWords } from './server-words';

/** Says what went wrong, at which field, and under which request id; read out at once by a screen reader. */
@Component({
  selector: 'gw-problem-notice',
  imports: [Icon],
  template: `
    <div role="alert" class="notice">
      <gw-icon name="error" />
      <div>
        <p>{{ words() ?? general() }}</p>
        @if (problem().errors.length > 0) {
          <ul>
            @for (error of problem().errors; track $index) {
              <li>
                @if (error.path) {
                  <code>{{ error.path }}</code>:
                }
                {{ inWords(error.message) }}
              </li>
            }
          </ul>
        }
        @if (problem().requestId; as id) {
          <p class="id">
            {{ text().problems.requestId }} <code>{{ id }}</code>
          </p>
        }
        <ng-content />
      </div>
    </div>
  `,
  styles: `
    .notice {
      display: flex;
      gap: 12px;
      padding: 12px 16px;
      border-radius: 8px;
      color: var(--gw-bad);
      background: var(--gw-bad-soft);
      overflow-wrap: anywhere;
    }
    p,
    ul {
      margin: 0;
    }
    ul {
      padding-left: 20px;
    }
    .id {
      margin-top: 4px;
      font: var(--mat-sys-body-small);
    }
    code {
      font-family: var(--gw-mono);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ProblemNotice {
  readonly problem = input.required<Problem>();
  /** Better words for this place than the general ones. */
  readonly words = input<string | null>(null);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly inWords = injectServerWords();
  protected readonly general = computed(() => problemWords(this.problem(), this.text(), this.i18n.language()));
}
