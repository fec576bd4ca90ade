import { CdkVirtualScrollViewport, ScrollingModule } from '@angular/cdk/scrolling';
import {
  ChangeDetectionStrategy,
  Component,
  computed,
  effect,
  inject,
  signal,
  untracked,
  viewChild,
} from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { Formats } from '../../../core/i18n/formats';
import { I18n } from '../../../core/i18n/i18n';
import { Icon } from '../../../shared/icon';
import { saveAs } from '../../../shared/save-as';
import { en } from '../words/en';
import { ko } from '../words/ko';
import { OutputFeed, type OutputLine } from './output-feed';

/** As in the styles: all lines are equally high, so that a hundred thousand of them scroll like ten. */
export const LINE_PX = 20;

/** What a command prints: follows the end, or stands still to be read and searched. It is text, whatever it looks like. */
@Component({
  selector: 'gw-output-view',
  imports: [Icon, MatButtonModule, MatProgressBarModule, ScrollingModule],
  templateUrl: './output-view.html',
  styleUrl: './output-view.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class OutputView {
  protected readonly feed = inject(OutputFeed);
  protected readonly formats = inject(Formats);
  protected readonly words = inject(I18n).words({ en, ko });
  protected readonly linePx = LINE_PX;
  private readonly viewport = viewChild(CdkVirtualScrollViewport);

  /** Whether it scrolls with the end. */
  protected readonly isFollowing = signal(true);
  /** How many lines were there when it was paused; null while it is not. */
  private readonly heldAt = signal<number | null>(null);
  protected readonly isPaused = computed(() => this.heldAt() !== null);
  protected readonly lines = computed<readonly OutputLine[]>(() => {
    this.feed.version();
    return this.feed.lines.slice(0, this.heldAt() ?? undefined);
  });
  protected readonly waiting = computed(() => {
    this.feed.version();
    return this.feed.lines.length - (this.heldAt() ?? this.feed.lines.length);
  });
  protected readonly wanted = signal('');
  protected readonly hits = computed<readonly number[]>(() => {
    const wanted = this.wanted().toLowerCase();
    if (!wanted) return [];
    return this.lines().flatMap(({ text }, index) => (text.toLowerCase().includes(wanted) ? [index] : []));
  });
  private readonly hitSet = computed(() => new Set(this.hits()));
  /** Which of the hits is shown. */
  protected readonly current = signal(0);
  protected readonly currentLine = computed(() => this.hits()[this.current()] ?? -1);

  constructor() {
    effect(() => {
      const count = this.lines().length;
      const viewport = this.viewport();
      untracked(() => {
        if (this.isFollowing() && !this.isPaused() && count > 0) {
          requestAnimationFrame(() => viewport?.scrollTo({ bottom: 0 }));
        }
      });
    });
  }

  protected isHit(index: number): boolean {
    return this.hitSet().has(index);
  }

  protected textOf({ stream, text }: OutputLine): string {
    return stream === 'mark' ? `${this.words().command.attempt} ${text}` : text;
  }

  protected follow(): void {
    this.heldAt.set(null);
    this.isFollowing.set(true);
    this.viewport()?.scrollTo({ bottom: 0 });
  }

  protected pause(): void {
    this.isFollowing.set(false);
    this.heldAt.set(this.feed.lines.length);
  }

  /** Whoever scrolls up wants to read: the end runs on without them. */
  protected scrolled(): void {
    const bottom = this.viewport()?.measureScrollOffset('bottom') ?? 0;
    if (bottom > 3 * LINE_PX && this.isFollowing()) this.isFollowing.set(false);
    else if (bottom < LINE_PX && !this.isPaused()) this.isFollowing.set(true);
  }

  protected search(text: string): void {
    this.wanted.set(text.trim());
    this.current.set(0);
    this.show();
  }

  protected step(by: 1 | -1): void {
    const count = this.hits().length;
    if (count === 0) return;
    this.current.update((current) => (current + by + count) % count);
    this.show();
  }

  protected save(): void {
    saveAs(new Blob([this.feed.lines.map(({ text }) => `${text}\n`).join('')], { type: 'text/plain' }), 'output.txt');
  }

  private show(): void {
    const line = this.currentLine();
    if (line < 0) return;
    this.isFollowing.set(false);
    this.viewport()?.scrollToIndex(Math.max(0, line - 3));
  }
}
