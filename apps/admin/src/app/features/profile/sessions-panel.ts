import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Attempt } from '../../shared/attempt';
import { deviceWords } from '../../shared/device-words';
import { Panel } from '../../shared/panel';
import { ProblemNotice } from '../../shared/problem-notice';
import { type OpenSession, ProfileApi } from './profile-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Where the person is logged in; ends one log-in, or all others. */
@Component({
  selector: 'gw-sessions-panel',
  imports: [MatButtonModule, Panel, ProblemNotice],
  template: `
    <gw-panel [title]="words().sessions.title" [lead]="words().sessions.lead">
      @if (attempt.problem(); as problem) {
        <gw-problem-notice [problem]="problem">
          <button matButton type="button" (click)="load()">{{ text().common.retry }}</button>
        </gw-problem-notice>
      }
      <p class="said" role="status">{{ said() ? words().sessions.ended : '' }}</p>
      <ul class="list">
        @for (session of sessions(); track session.id) {
          <li>
            <div>
              <strong>{{ nameOf(session) }}</strong>
              @if (session.current) {
                <span class="mark">{{ words().sessions.thisOne }}</span>
              }
              <p>
                @if (session.address) {
                  {{ words().sessions.from }} {{ session.address }} ·
                }
                {{ words().sessions.lastUsed }} {{ formats.dateTime(session.lastUsedAt) }}
              </p>
            </div>
            @if (!session.current) {
              <button
                matButton="outlined"
                type="button"
                [disabled]="attempt.busy()"
                [attr.aria-label]="words().sessions.endOf(nameOf(session))"
                (click)="end(session)"
              >
                {{ words().sessions.end }}
              </button>
            }
          </li>
        }
      </ul>
      @if (hasOthers()) {
        <button matButton="outlined" type="button" [disabled]="attempt.busy()" (click)="endOthers()">
          {{ words().sessions.endOthers }}
        </button>
      } @else if (sessions().length > 0) {
        <p>{{ words().sessions.none }}</p>
      }
    </gw-panel>
  `,
  styleUrl: './panels.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class SessionsPanel {
  private readonly api = inject(ProfileApi);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly attempt = new Attempt();
  protected readonly sessions = signal<readonly OpenSession[]>([]);
  protected readonly hasOthers = computed(() => this.sessions().some(({ current }) => !current));
  protected readonly said = signal(false);

  constructor() {
    void this.load();
  }

  protected load(): Promise<boolean> {
    return this.attempt.run(async () => this.sessions.set(await this.api.sessions()));
  }

  protected end({ id }: OpenSession): Promise<void> {
    return this.endBy(() => this.api.endSession(id));
  }

  protected endOthers(): Promise<void> {
    return this.endBy(() => this.api.endOtherSessions());
  }

  protected nameOf({ userAgent }: OpenSession): string {
    return deviceWords(userAgent) ?? this.words().sessions.unknown;
  }

  private async endBy(act: () => Promise<void>): Promise<void> {
    this.said.set(false);
    const done = await this.attempt.run(async () => {
      await act();
      this.sessions.set(await this.api.sessions());
    });
    this.said.set(done);
  }
}
