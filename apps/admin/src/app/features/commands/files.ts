import {
  ChangeDetectionStrategy,
  Component,
  DestroyRef,
  effect,
  inject,
  input,
  signal,
  untracked,
} from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { type Problem, toProblem } from '../../core/http/problem';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { saveAs } from '../../shared/save-as';
import { type Artifact, CommandsApi } from './commands-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Shown as pictures; whatever else a machine sends is only ever saved. */
const PICTURES = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];
const MOST_SHOWN_BYTES = 20 * 1024 * 1024;

interface Shown extends Artifact {
  /** Address of the picture, once it is here. */
  picture: string | null;
}

/** The files that a command brought back: pictures as pictures, all of them to download. */
@Component({
  selector: 'gw-files',
  imports: [Icon, MatButtonModule, ProblemNotice],
  template: `
    @for (file of shown(); track file.id) {
      <figure>
        @if (file.picture; as address) {
          <a [href]="address" target="_blank" rel="noopener">
            <img [src]="address" [alt]="words().files.picture(file.name)" />
          </a>
        }
        <figcaption>
          <span class="name">{{ file.name }}</span>
          <span class="size">{{ formats.bytes(file.size) }}</span>
          <button
            matButton="outlined"
            type="button"
            [attr.aria-label]="words().files.download(file.name)"
            (click)="save(file)"
          >
            <gw-icon matButtonIcon name="download" />{{ text().common.download }}
          </button>
        </figcaption>
      </figure>
    }
    @if (problem(); as problem) {
      <gw-problem-notice [problem]="problem" [words]="problem.code === 'unknown' ? words().files.failed : null" />
    }
  `,
  styles: `
    figure {
      margin: 0 0 16px;
    }
    img {
      display: block;
      max-width: 100%;
      max-height: 480px;
      border: 1px solid var(--mat-sys-outline-variant);
      border-radius: 8px;
    }
    figcaption {
      display: flex;
      flex-wrap: wrap;
      align-items: center;
      gap: 8px 12px;
      padding: 8px 0;
    }
    .name {
      overflow-wrap: anywhere;
    }
    .size {
      color: var(--mat-sys-on-surface-variant);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class Files {
  readonly commandId = input.required<string>();
  readonly files = input.required<readonly Artifact[]>();

  private readonly api = inject(CommandsApi);
  protected readonly formats = inject(Formats);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly shown = signal<readonly Shown[]>([]);
  protected readonly problem = signal<Problem | null>(null);

  constructor() {
    effect(() => {
      const files = this.files();
      untracked(() => this.show(files));
    });
    inject(DestroyRef).onDestroy(() => this.shown().forEach(({ picture }) => picture && URL.revokeObjectURL(picture)));
  }

  protected async save(file: Artifact): Promise<void> {
    this.problem.set(null);
    const bytes = await this.fetch(file);
    if (bytes) saveAs(bytes, file.name);
  }

  private show(files: readonly Artifact[]): void {
    const known = new Map(this.shown().map((file) => [file.id, file]));
    this.shown.set(files.map((file) => known.get(file.id) ?? { ...file, picture: null }));
    for (const file of files) {
      if (!known.has(file.id) && PICTURES.includes(file.contentType) && file.size <= MOST_SHOWN_BYTES)
        void this.picture(file);
    }
  }

  private async picture(file: Artifact): Promise<void> {
    const bytes = await this.fetch(file);
    if (!bytes) return;
    const picture = URL.createObjectURL(new Blob([bytes], { type: file.contentType }));
    this.shown.update((shown) => shown.map((other) => (other.id === file.id ? { ...other, picture } : other)));
  }

  private async fetch({ id }: Artifact): Promise<Blob | null> {
    try {
      return await this.api.artifact(this.commandId(), id);
    } catch (error) {
      this.problem.set(toProblem(error));
      return null;
    }
  }
}
