import { ChangeDetectionStrategy, Component, effect, inject, input, signal, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { RouterLink } from '@angular/router';
import { EMERGENCY_PRIORITY } from '@gwanje/contracts';
import { auditTime, filter, merge } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Command } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { ProblemNotice } from '../../shared/problem-notice';
import { StateChip } from '../../shared/state-chip';
import { ClientsApi } from './clients-api';
import { en } from './words/en';
import { ko } from './words/ko';

const GATHER_MS = 300;

/** What waits for a client and runs there, in the order in which it is served, and its latest commands; both live. */
@Component({
  selector: 'gw-client-commands',
  imports: [MatButtonModule, ProblemNotice, RouterLink, StateChip],
  template: `
    @if (problem(); as problem) {
      <gw-problem-notice [problem]="problem" />
    }
    @if (shown(); as shown) {
      @for (list of lists; track list.key) {
        <section [attr.aria-labelledby]="list.key">
          <h2 [id]="list.key">{{ words().client[list.key] }}</h2>
          @if (shown[list.key].length > 0) {
            <ol>
              @for (command of shown[list.key]; track command.id) {
                <li>
                  <a [routerLink]="['/commands', command.id]">{{ command.action }}</a>
                  <gw-state-chip [state]="command.status" />
                  <span [class.emergency]="command.priority === emergency">{{ priorityOf(command) }}</span>
                  <time [attr.datetime]="command.createdAt">{{ formats.dateTime(command.createdAt) }}</time>
                </li>
              }
            </ol>
          } @else {
            <p>{{ words().client[list.empty] }}</p>
          }
        </section>
      }
      <a matButton routerLink="/commands" [queryParams]="{ client: clientId() }">{{ words().client.allCommands }}</a>
    }
  `,
  styles: `
    :host {
      display: grid;
      gap: 24px;
      justify-items: start;
    }
    section {
      width: 100%;
    }
    ol {
      max-height: 480px;
      overflow-y: auto;
      margin: 0;
      padding: 0;
      list-style: none;
    }
    li {
      position: relative;
      display: grid;
      grid-template-columns: minmax(0, 1fr) auto;
      gap: 2px 12px;
      padding: 8px 4px;
      border-bottom: 1px solid var(--mat-sys-outline-variant);
    }
    li:hover {
      background: var(--mat-sys-surface-container-low);
    }
    li a {
      font-weight: 500;
      text-decoration: none;
      overflow-wrap: anywhere;
    }
    li a::after {
      content: '';
      position: absolute;
      inset: 0;
    }
    li a:focus-visible {
      outline-offset: -2px;
    }
    gw-state-chip {
      justify-self: end;
    }
    span,
    time,
    p {
      margin: 0;
      color: var(--mat-sys-on-surface-variant);
      font: var(--mat-sys-body-small);
    }
    .emergency {
      color: var(--gw-bad);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientCommands {
  readonly clientId = input.required<string>();

  private readonly api = inject(ClientsApi);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly emergency = EMERGENCY_PRIORITY;
  protected readonly lists = [
    { key: 'queue', empty: 'queueEmpty' },
    { key: 'history', empty: 'historyEmpty' },
  ] as const;
  protected readonly shown = signal<{ queue: Command[]; history: Command[] } | null>(null);
  protected readonly problem = signal<Problem | null>(null);

  constructor() {
    const events = inject(EventStream);
    effect(() => {
      this.clientId();
      untracked(() => {
        this.shown.set(null);
        void this.load();
      });
    });
    const news = events.news('command').pipe(filter(({ clientId }) => clientId === this.clientId()));
    merge(news, events.opened)
      .pipe(auditTime(GATHER_MS), takeUntilDestroyed())
      .subscribe(() => void this.load());
  }

  protected priorityOf({ priority }: Command): string {
    const { client } = this.words();
    return priority === EMERGENCY_PRIORITY ? client.emergency : client.priority(this.formats.number(priority));
  }

  private async load(): Promise<void> {
    const id = this.clientId();
    try {
      const [queue, history] = await Promise.all([this.api.queue(id), this.api.history(id)]);
      if (id !== this.clientId()) return;
      this.shown.set({ queue: queue.items, history: history.items });
      this.problem.set(null);
    } catch (error) {
      if (id === this.clientId()) this.problem.set(toProblem(error));
    }
  }
}
