import { ChangeDetectionStrategy, Component, effect, inject, input, signal, untracked } from '@angular/core';
import { ANY_ACTION, type Grant } from '@gwanje/contracts';
import { type Problem, toProblem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { ProblemNotice } from '../../shared/problem-notice';
import { ClientsApi } from './clients-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Who may run what on a client, by the grants on it and on its groups; they are changed on the pages of Access. */
@Component({
  selector: 'gw-client-rights',
  imports: [ProblemNotice],
  template: `
    <section aria-labelledby="rights">
      <h2 id="rights">{{ words().rights.title }}</h2>
      <p>{{ words().rights.lead }}</p>
      @if (problem(); as problem) {
        <gw-problem-notice [problem]="problem" />
      }
      @if (grants(); as grants) {
        @if (grants.length > 0) {
          <ul>
            @for (grant of grants; track grant.id) {
              <li>
                <strong>{{ grant.user ?? words().rights.role(grant.role ?? '') }}</strong>
                <span>{{ grant.group ? words().rights.group(grant.group) : words().rights.here }}</span>
                <span>{{ actionsOf(grant) }}</span>
                @for (limit of limitsOf(grant); track limit) {
                  <code>{{ limit }}</code>
                }
              </li>
            }
          </ul>
        } @else {
          <p>{{ words().rights.empty }}</p>
        }
      }
    </section>
  `,
  styles: `
    ul {
      margin: 8px 0 0;
      padding: 0;
      list-style: none;
    }
    li {
      display: grid;
      grid-template-columns: minmax(0, 1fr) auto;
      gap: 2px 12px;
      padding: 8px 0;
      border-bottom: 1px solid var(--mat-sys-outline-variant);
      overflow-wrap: anywhere;
    }
    p,
    span {
      margin: 0;
      color: var(--mat-sys-on-surface-variant);
    }
    code {
      grid-column: 1 / -1;
      font-family: var(--gw-mono);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientRights {
  readonly clientId = input.required<string>();
  /** Read again when it joins or leaves one. */
  readonly groups = input.required<string>();

  private readonly api = inject(ClientsApi);
  protected readonly words = inject(I18n).words({ en, ko });
  protected readonly grants = signal<(Grant & { id: string })[] | null>(null);
  protected readonly problem = signal<Problem | null>(null);

  constructor() {
    effect(() => {
      const id = this.clientId();
      this.groups();
      untracked(() => void this.load(id));
    });
  }

  protected actionsOf({ actions }: Grant): string {
    return actions.includes(ANY_ACTION) ? this.words().rights.every : actions.join(', ');
  }

  /** `print.copies {"maximum":10}` */
  protected limitsOf({ limits }: Grant): string[] {
    return Object.entries(limits).flatMap(([action, parameters]) =>
      Object.entries(parameters).map(([name, schema]) => `${action}.${name} ${JSON.stringify(schema)}`),
    );
  }

  private async load(id: string): Promise<void> {
    try {
      const { items } = await this.api.rights(id);
      if (id !== this.clientId()) return;
      this.grants.set(items);
      this.problem.set(null);
    } catch (error) {
      if (id === this.clientId()) this.problem.set(toProblem(error));
    }
  }
}
