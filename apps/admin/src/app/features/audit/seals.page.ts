import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Attempt } from '../../shared/attempt';
import { CopyButton } from '../../shared/copy-button';
import { Icon } from '../../shared/icon';
import { loadAgainWhenBack } from '../../shared/load-again';
import { Panel } from '../../shared/panel';
import { ProblemNotice } from '../../shared/problem-notice';
import { saveAs } from '../../shared/save-as';
import { AuditApi, type Seals } from './audit-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** New entries wait about a second for their seal; whatever waits longer than this is late. */
const LATE_MS = 30_000;

/** The chain of seals: how far it reaches, what waits, and the key by which anybody can check it. */
@Component({
  selector: 'gw-seals-page',
  imports: [CopyButton, Icon, MatButtonModule, MatProgressBarModule, Panel, ProblemNotice],
  templateUrl: './seals.page.html',
  styleUrl: './seals.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class SealsPage {
  private readonly api = inject(AuditApi);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly reading = new Attempt();
  /** The newest page, and when it was read. */
  protected readonly seals = signal<(Seals & { readAt: number }) | null>(null);
  protected readonly items = signal<Seals['items']>([]);
  protected readonly nextCursor = signal<string | null>(null);
  protected readonly last = computed(() => this.seals()?.items[0] ?? null);
  protected readonly olderKeys = computed(() => this.seals()?.keys.filter(({ id }) => id !== this.last()?.keyId) ?? []);
  protected readonly lateness = computed(() => {
    const seals = this.seals();
    return seals?.unsealed.since ? Math.max(0, seals.readAt - Date.parse(seals.unsealed.since)) : 0;
  });
  protected readonly isLate = computed(() => this.lateness() > LATE_MS);
  protected readonly state = computed(() => {
    const unsealed = this.seals()?.unsealed;
    const { seals } = this.words();
    if (!unsealed || unsealed.since === null) return seals.allSealed;
    const rows = this.formats.number(unsealed.rows);
    if (this.isLate()) return seals.behind(rows, this.formats.duration(this.lateness()));
    return seals.waiting(rows, this.formats.time(unsealed.since));
  });

  constructor() {
    void this.load();
    loadAgainWhenBack(this.reading.problem, () => this.load());
  }

  protected load(): Promise<boolean> {
    return this.reading.run(async () => {
      const seals = await this.api.seals();
      this.seals.set({ ...seals, readAt: Date.now() });
      this.items.set(seals.items);
      this.nextCursor.set(seals.nextCursor);
    });
  }

  protected more(): Promise<boolean> {
    return this.reading.run(async () => {
      const { items, nextCursor } = await this.api.seals(this.nextCursor() ?? undefined);
      this.items.update((known) => [...known, ...items]);
      this.nextCursor.set(nextCursor);
    });
  }

  protected saveKey(pem: string): void {
    saveAs(new Blob([pem], { type: 'application/x-pem-file' }), 'audit-key.pub.pem');
  }

  /** In groups, so that two people can compare it aloud. */
  protected grouped(fingerprint: string): string {
    return fingerprint.match(/.{1,8}/g)?.join(' ') ?? fingerprint;
  }
}
