import { ChangeDetectionStrategy, Component, effect, inject, input, signal, untracked } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { Router, RouterLink } from '@angular/router';
import { type Problem, toProblem } from '../../core/http/problem';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { loadAgainWhenBack } from '../../shared/load-again';
import { ProblemNotice } from '../../shared/problem-notice';
import { AccessApi, type UserView } from './access-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Everybody who has an account, newest first; the search is in the address. */
@Component({
  selector: 'gw-users-page',
  imports: [
    EmptyState,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatProgressBarModule,
    ProblemNotice,
    RouterLink,
  ],
  templateUrl: './users.page.html',
  styleUrl: './users.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class UsersPage {
  /** Part of the name or e-mail, from the address. */
  readonly q = input<string>();

  private readonly api = inject(AccessApi);
  private readonly router = inject(Router);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly me = inject(Session).user;

  protected readonly users = signal<readonly UserView[]>([]);
  protected readonly nextCursor = signal<string | null>(null);
  protected readonly loading = signal<'first' | 'more' | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  /** Rises with each question: the answer to an earlier one is dropped. */
  private question = 0;

  constructor() {
    effect(() => {
      this.q();
      untracked(() => void this.load());
    });
    loadAgainWhenBack(this.problem, () => this.load());
  }

  protected load(): Promise<void> {
    this.users.set([]);
    this.nextCursor.set(null);
    this.question++;
    return this.read('first');
  }

  protected more(): Promise<void> {
    return this.loading() === null ? this.read('more') : Promise.resolve();
  }

  protected search(q: string): void {
    void this.router.navigate([], { queryParams: { q: q.trim() || null } });
  }

  private async read(which: 'first' | 'more'): Promise<void> {
    const { question } = this;
    this.loading.set(which);
    this.problem.set(null);
    try {
      const { items, nextCursor } = await this.api.users(this.q() ?? '', this.nextCursor() ?? undefined);
      if (question !== this.question) return;
      this.users.update((users) => [...users, ...items]);
      this.nextCursor.set(nextCursor);
    } catch (error) {
      if (question !== this.question) return;
      this.problem.set(toProblem(error));
    }
    this.loading.set(null);
  }
}
