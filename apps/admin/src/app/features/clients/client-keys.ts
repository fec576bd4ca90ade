import { Dialog } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, effect, inject, input, signal, untracked } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatSelectModule } from '@angular/material/select';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Client } from '../../core/http/wire';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { confirmed } from '../../shared/confirm-dialog';
import { CopyText } from '../../shared/copy-text';
import { ProblemNotice } from '../../shared/problem-notice';
import { type ClientKey, ClientsApi } from './clients-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Seconds for which the old key stays valid. */
const OVERLAPS = { now: 0, hour: 3_600, day: 86_400, week: 604_800 } as const;

/** A client's keys: a new one is shown once, any can be revoked, and without any its agent is locked out. */
@Component({
  selector: 'gw-client-keys',
  imports: [CopyText, MatButtonModule, MatFormFieldModule, MatSelectModule, ProblemNotice],
  templateUrl: './client-keys.html',
  styleUrl: './client-keys.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientKeys {
  readonly client = input.required<Client>();

  private readonly api = inject(ClientsApi);
  private readonly dialog = inject(Dialog);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly overlaps = Object.keys(OVERLAPS) as (keyof typeof OVERLAPS)[];
  protected readonly overlap = signal<keyof typeof OVERLAPS>('day');
  protected readonly keys = signal<ClientKey[] | null>(null);
  protected readonly newKey = signal<string | null>(null);
  protected readonly told = signal<'revoked' | 'disabled' | null>(null);
  protected readonly busy = signal(false);
  protected readonly problem = signal<Problem | null>(null);
  private clientId = '';

  constructor() {
    effect(() => {
      const { id } = this.client();
      untracked(() => {
        if (id !== this.clientId) this.newKey.set(null);
        this.clientId = id;
        void this.load();
      });
    });
  }

  protected rotate(): Promise<void> {
    return this.act(async () => {
      const { clientKey } = await this.api.rotateKey(this.client().id, OVERLAPS[this.overlap()]);
      this.newKey.set(clientKey);
      this.told.set(null);
    });
  }

  protected async revoke(key: ClientKey): Promise<void> {
    const { keys } = this.words();
    const time = this.formats.dateTime(key.createdAt);
    const sure = await confirmed(this.dialog, { title: keys.revokeLabel(time), lead: keys.lead, button: keys.revoke });
    if (!sure) return;
    await this.act(async () => {
      await this.api.revokeKey(this.client().id, key.id);
      this.told.set('revoked');
    });
  }

  protected async disable(): Promise<void> {
    const { name, id } = this.client();
    const { remove } = this.words();
    const { disable: button, disableLead: lead } = remove;
    if (!(await confirmed(this.dialog, { title: `${button}: ${name}`, lead, button, typed: name }))) return;
    await this.act(async () => {
      for (const key of this.keys() ?? []) await this.api.revokeKey(id, key.id);
      this.newKey.set(null);
      this.told.set('disabled');
    });
  }

  private async act(act: () => Promise<void>): Promise<void> {
    if (this.busy()) return;
    this.busy.set(true);
    this.problem.set(null);
    try {
      await act();
    } catch (error) {
      this.problem.set(toProblem(error));
    } finally {
      this.busy.set(false);
    }
    await this.load();
  }

  private async load(): Promise<void> {
    const { id } = this.client();
    try {
      const { items } = await this.api.keys(id);
      if (id === this.client().id) this.keys.set(items);
    } catch (error) {
      this.problem.set(toProblem(error));
    }
  }
}
