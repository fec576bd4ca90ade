import { Dialog } from '@angular/cdk/dialog';
import {
  ChangeDetectionStrategy,
  Component,
  computed,
  inject,
  linkedSignal,
  signal,
  viewChildren,
} from '@angular/core';
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import type { AlertChannel } from '@gwanje/contracts';
import { I18n } from '../../core/i18n/i18n';
import { Attempt } from '../../shared/attempt';
import { confirmed } from '../../shared/confirm-dialog';
import { FieldFault } from '../../shared/field-fault';
import { Icon } from '../../shared/icon';
import { loadAgainWhenBack } from '../../shared/load-again';
import { ProblemNotice } from '../../shared/problem-notice';
import { faultAt, isSendable } from '../../shared/server-faults';
import { refusalWords } from '../../shared/server-words';
import { ShownOnce } from '../../shared/shown-once';
import { areSettled, TagField } from '../../shared/tag-field';
import { AlertsApi } from './alerts-api';
import { NAME } from './rule-form';
import { en } from './words/en';
import { ko } from './words/ko';

/** The channels: made, tested, removed. The secret of a webhook is shown once. */
@Component({
  selector: 'gw-channels-page',
  imports: [
    FieldFault,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatProgressBarModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
    ShownOnce,
    TagField,
  ],
  templateUrl: './channels.page.html',
  styleUrl: './lists.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ChannelsPage {
  private readonly api = inject(AlertsApi);
  private readonly dialog = inject(Dialog);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly ADDRESS = /^[^\s@]+@[^\s@]+$/;

  protected readonly channels = signal<readonly AlertChannel[] | null>(null);
  protected readonly reading = new Attempt();
  protected readonly doing = new Attempt();
  protected readonly readingWords = computed(() => refusalWords(this.reading.problem(), this.i18n.language()));
  protected readonly said = signal('');
  protected readonly adding = signal(false);
  protected readonly secret = signal<{ name: string; secret: string } | null>(null);
  private readonly tagFields = viewChildren(TagField);
  protected readonly addresses = signal<readonly string[]>([]);
  protected readonly addressFault = linkedSignal<unknown, string | null>({
    source: this.addresses,
    computation: () => null,
  });
  protected readonly form = new FormGroup({
    name: new FormControl('', { nonNullable: true, validators: [Validators.required, Validators.pattern(NAME)] }),
    kind: new FormControl<'webhook' | 'email'>('webhook', { nonNullable: true }),
    url: new FormControl('', {
      nonNullable: true,
      validators: [Validators.required, Validators.pattern(/^\s*https?:\/\/\S+\s*$/), Validators.maxLength(2000)],
    }),
  });

  constructor() {
    void this.load();
    loadAgainWhenBack(this.reading.problem, () => this.load());
  }

  protected load(): Promise<boolean> {
    return this.reading.run(() => this.read());
  }

  protected choose(kind: 'webhook' | 'email'): void {
    const { url } = this.form.controls;
    if (kind === 'webhook') url.enable();
    else url.disable();
  }

  protected close(): void {
    this.form.reset();
    this.form.controls.url.enable();
    this.addresses.set([]);
    this.addressFault.set(null);
    this.adding.set(false);
  }

  protected async add(): Promise<void> {
    const isValid = isSendable(this.form);
    const isSettled = areSettled(this.tagFields());
    const { kind, url, ...rest } = this.form.getRawValue();
    const name = rest.name.trim();
    const nobody = isSettled && kind === 'email' && this.addresses().length === 0;
    this.addressFault.set(nobody ? this.words().channels.addressesMissing : null);
    if (!isValid || !isSettled || nobody) return;
    const done = await this.act(async () => {
      const secret = await this.api.createChannel(
        kind === 'webhook' ? { name, kind, url: url.trim() } : { name, kind, addresses: [...this.addresses()] },
      );
      if (secret) this.secret.set({ name, secret });
    }, this.form);
    if (done) this.close();
    const fault = faultAt(this.doing.problem(), 'addresses');
    if (fault) this.addressFault.set(fault);
  }

  protected async test({ id }: AlertChannel): Promise<void> {
    if (await this.act(() => this.api.testChannel(id))) this.said.set(this.words().channels.tested);
  }

  protected async rotate({ id, name }: AlertChannel): Promise<void> {
    const { rotateTitle, rotateText, rotate } = this.words().channels;
    if (!(await confirmed(this.dialog, { title: rotateTitle(name), lead: rotateText, button: rotate }))) return;
    await this.act(async () => this.secret.set({ name, secret: await this.api.rotateSecret(id) }));
  }

  protected async remove({ id, name }: AlertChannel): Promise<void> {
    const { removeTitle, removeText, remove, removed } = this.words().channels;
    if (!(await confirmed(this.dialog, { title: removeTitle(name), lead: removeText, button: remove }))) return;
    if (await this.act(() => this.api.removeChannel(id))) this.said.set(removed);
  }

  protected whereOf(channel: AlertChannel): string {
    return channel.kind === 'webhook' ? channel.url : channel.addresses.join(', ');
  }

  private act(what: () => Promise<void>, form?: FormGroup): Promise<boolean> {
    this.said.set('');
    return this.doing.run(async () => {
      await what();
      await this.read();
    }, form);
  }

  private async read(): Promise<void> {
    this.channels.set(await this.api.channels());
  }
}
