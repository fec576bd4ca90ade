import {
  ChangeDetectionStrategy,
  Component,
  effect,
  inject,
  input,
  model,
  signal,
  untracked,
  viewChildren,
} from '@angular/core';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatRadioModule } from '@angular/material/radio';
import { type Problem, toProblem } from '../../../core/http/problem';
import { Formats } from '../../../core/i18n/formats';
import { I18n } from '../../../core/i18n/i18n';
import { ProblemNotice } from '../../../shared/problem-notice';
import { areSettled, TagField } from '../../../shared/tag-field';
import { CommandsApi, type Preview } from '../commands-api';
import { en } from '../words/en';
import { ko } from '../words/ko';
import { type Choice, LABEL, TARGET_KINDS, type TargetKind, targetsOf } from './targets';

const TYPING_MS = 250;

/** Chooses machines, and says before anything is sent how many they are and which of them are off. */
@Component({
  selector: 'gw-targets-field',
  imports: [MatProgressBarModule, MatRadioModule, ProblemNotice, TagField],
  template: `
    <mat-radio-group
      [attr.aria-label]="words().targets.label"
      [value]="choice().kind"
      (change)="choose({ kind: $event.value })"
    >
      @for (kind of kinds; track kind) {
        <mat-radio-button [value]="kind">{{ words().targets.kinds[kind] }}</mat-radio-button>
      }
    </mat-radio-group>
    @switch (choice().kind) {
      @case ('clients') {
        <gw-tag-field
          [label]="words().targets.clients"
          [hint]="words().targets.clientsHint"
          [tags]="choice().clients"
          [suggestions]="names()"
          (tagsChange)="choose({ clients: $event })"
        />
      }
      @case ('groups') {
        <gw-tag-field
          [label]="words().targets.groups"
          [hint]="words().targets.groupsHint"
          [tags]="choice().groups"
          (tagsChange)="choose({ groups: $event })"
        />
      }
      @case ('labels') {
        <gw-tag-field
          [label]="words().targets.labels"
          [hint]="words().targets.labelsHint"
          [pattern]="label"
          [wrong]="words().targets.labelWrong"
          [tags]="choice().labels"
          (tagsChange)="choose({ labels: $event })"
        />
      }
    }
    <div class="preview" role="status">
      @if (preview(); as preview) {
        <p>
          <strong>{{
            preview.count === 1 ? words().targets.one : words().targets.count(formats.number(preview.count))
          }}</strong>
          @if (preview.offline > 0) {
            <span class="off">{{ words().targets.offline(formats.number(preview.offline)) }}</span>
          }
        </p>
        @if (preview.offline > 0) {
          <p class="names">
            {{ offlineNames(preview) }}
          </p>
        }
      } @else if (!problem()) {
        <p class="names">{{ words().targets.none }}</p>
      }
    </div>
    @if (problem(); as problem) {
      <gw-problem-notice [problem]="problem" />
    }
  `,
  styles: `
    :host {
      display: flex;
      flex-direction: column;
      gap: 8px;
    }
    mat-radio-group {
      display: flex;
      flex-wrap: wrap;
      gap: 0 12px;
    }
    .preview {
      padding: 10px 16px;
      border-radius: 8px;
      background: var(--mat-sys-surface-container);
    }
    p {
      margin: 0;
    }
    .off {
      margin-left: 8px;
      color: var(--gw-warn);
    }
    .names {
      color: var(--mat-sys-on-surface-variant);
      overflow-wrap: anywhere;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class TargetsField {
  readonly choice = model.required<Choice>();
  /** What they are chosen for: who may do what depends on it. */
  readonly action = input.required<string>();
  readonly names = input<readonly string[]>([]);

  private readonly tagFields = viewChildren(TagField);
  private readonly api = inject(CommandsApi);
  protected readonly formats = inject(Formats);
  protected readonly words = inject(I18n).words({ en, ko });
  protected readonly kinds = TARGET_KINDS;
  protected readonly label = LABEL;
  readonly preview = signal<Preview | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  private question = 0;
  private timer?: ReturnType<typeof setTimeout>;

  constructor() {
    effect(() => {
      const [targets, action] = [targetsOf(this.choice()), this.action()];
      untracked(() => this.ask(targets, action || 'noop'));
    });
  }

  /** False when something wrong is typed that would be left out. */
  check(): boolean {
    return areSettled(this.tagFields());
  }

  protected choose(change: Partial<Choice> & { kind?: TargetKind }): void {
    this.choice.update((choice) => ({ ...choice, ...change }));
  }

  protected offlineNames({ offline, offlineClients }: Preview): string {
    const names = offlineClients.map(({ name }) => name).join(', ');
    const more = offline - offlineClients.length;
    return more > 0 ? this.words().targets.andMore(names, this.formats.number(more)) : names;
  }

  private ask(targets: ReturnType<typeof targetsOf>, action: string): void {
    const question = ++this.question;
    clearTimeout(this.timer);
    this.preview.set(null);
    this.problem.set(null);
    if (!targets) return;
    this.timer = setTimeout(() => {
      this.api.preview(targets, action).then(
        (preview) => question === this.question && this.preview.set(preview),
        (error: unknown) => question === this.question && this.problem.set(toProblem(error)),
      );
    }, TYPING_MS);
  }
}
