import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import type { AuditExport, AuditExportFormat } from '@gwanje/contracts';
import { EventStream } from '../../core/events/event-stream';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Attempt } from '../../shared/attempt';
import { CopyButton } from '../../shared/copy-button';
import { Panel } from '../../shared/panel';
import { ProblemNotice } from '../../shared/problem-notice';
import { saveAs } from '../../shared/save-as';
import { serverWords } from '../../shared/server-words';
import { AuditApi } from './audit-api';
import { en } from './words/en';
import { ko } from './words/ko';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** One's own exports: ordered, watched as they are written, downloaded. */
@Component({
  selector: 'gw-exports-page',
  imports: [CopyButton, MatButtonModule, MatProgressBarModule, Panel, ProblemNotice],
  templateUrl: './exports.page.html',
  styleUrl: './exports.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ExportsPage {
  private readonly api = inject(AuditApi);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });

  protected readonly exports = signal<readonly AuditExport[] | null>(null);
  protected readonly nextCursor = signal<string | null>(null);
  protected readonly reading = new Attempt();
  protected readonly ordering = new Attempt();
  protected readonly downloading = new Attempt();
  /** The one that is being downloaded. */
  protected readonly underWay = signal<string | null>(null);
  protected readonly ordered = signal(false);
  /** The news since the list was last asked for. */
  private heard = new Map<string, AuditExport>();
  /** For the newest file that is ready, so that the line can be pasted as it is. */
  protected readonly verifyLine = computed(() => {
    const ready = this.exports()?.find(({ status }) => status === 'completed');
    return `npm run audit:verify -- ${ready ? fileName(ready) : 'FILE'} --public-key audit-key.pub.pem`;
  });

  constructor() {
    const events = inject(EventStream);
    events
      .news('export')
      .pipe(takeUntilDestroyed())
      .subscribe((news) => this.note(news));
    events.opened.pipe(takeUntilDestroyed()).subscribe(() => void this.load());
    void this.load();
  }

  protected load(): Promise<boolean> {
    return this.reading.run(async () => {
      const heard = (this.heard = new Map<string, AuditExport>());
      const { items, nextCursor } = await this.api.exports();
      this.exports.set(items);
      // The list may have been read before what was heard while it was on its way.
      for (const news of heard.values()) this.show(news);
      this.nextCursor.set(nextCursor);
    });
  }

  protected more(): Promise<boolean> {
    return this.reading.run(async () => {
      const { items, nextCursor } = await this.api.exports(this.nextCursor() ?? undefined);
      this.exports.update((known) => [...(known ?? []), ...items]);
      this.nextCursor.set(nextCursor);
    });
  }

  protected async order(format: AuditExportFormat): Promise<void> {
    this.ordered.set(false);
    const done = await this.ordering.run(async () => void (await this.api.order(format, {})));
    if (!done) return;
    this.ordered.set(true);
    await this.load();
  }

  protected async download(order: AuditExport): Promise<void> {
    this.underWay.set(order.id);
    await this.downloading.run(async () => saveAs(await this.api.download(order.id), fileName(order)));
    this.underWay.set(null);
  }

  protected extentOf({ filter }: AuditExport): string {
    if (!filter || Object.keys(filter).length === 0) return this.words().exports.complete;
    const { actor, action, target, from, to, outcome } = filter;
    const words = this.words();
    const parts: (readonly [string, string | undefined])[] = [
      [words.actor, actor],
      [words.action, action],
      [words.target, target],
      [words.from, from && this.formats.dateTime(from)],
      [words.to, to && this.formats.dateTime(to)],
      [words.outcome, outcome && words.outcomes[outcome]],
    ];
    return parts.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`])).join(' · ');
  }

  protected sizeOf(bytes: number): string {
    const step = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
    const unit = { style: 'unit', unit: UNITS[step] ?? 'byte', maximumFractionDigits: 1 } as const;
    return new Intl.NumberFormat(this.i18n.language(), unit).format(bytes / 1000 ** step);
  }

  protected faultOf({ errorMessage }: AuditExport): string | null {
    return errorMessage === null ? null : serverWords(errorMessage, this.i18n.language());
  }

  private note(news: AuditExport): void {
    this.heard.set(news.id, news);
    this.show(news);
  }

  private show(news: AuditExport): void {
    this.exports.update((known) => {
      if (!known) return known;
      return known.some(({ id }) => id === news.id)
        ? known.map((order) => (order.id === news.id ? news : order))
        : [news, ...known];
    });
  }
}

const fileName = ({ id, format }: AuditExport): string => `gwanje-audit-${id}.${format}`;
