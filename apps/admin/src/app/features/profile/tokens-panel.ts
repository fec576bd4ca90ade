import { Dialog } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatRadioModule } from '@angular/material/radio';
import { MatSelectModule } from '@angular/material/select';
import { type Permission, PERMISSIONS } from '@gwanje/contracts';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { confirmed } from '../../shared/confirm-dialog';
import { FieldFault } from '../../shared/field-fault';
import { Panel } from '../../shared/panel';
import { PERMISSION_WORDS } from '../../shared/permission-words';
import { ProblemNotice } from '../../shared/problem-notice';
import { isSendable } from '../../shared/server-faults';
import { refusalWords } from '../../shared/server-words';
import { ShownOnce } from '../../shared/shown-once';
import { type PersonalToken, ProfileApi } from './profile-api';
import { en } from './words/en';
import { ko } from './words/ko';

const DAY_MS = 86_400_000;
const LIFETIMES = [30, 90, 365] as const;

/** One's own personal access tokens: made with a part of one's own rights, shown once, revoked. */
@Component({
  selector: 'gw-tokens-panel',
  imports: [
    FieldFault,
    MatButtonModule,
    MatCheckboxModule,
    MatFormFieldModule,
    MatInputModule,
    MatRadioModule,
    MatSelectModule,
    Panel,
    ProblemNotice,
    ReactiveFormsModule,
    ShownOnce,
  ],
  templateUrl: './tokens-panel.html',
  styleUrl: './panels.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class TokensPanel {
  private readonly api = inject(ProfileApi);
  private readonly dialog = inject(Dialog);
  protected readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly permissionWords = this.i18n.words(PERMISSION_WORDS);
  protected readonly attempt = new Attempt();
  protected readonly problemWords = computed(() => refusalWords(this.attempt.problem(), this.i18n.language()));

  protected readonly tokens = signal<readonly PersonalToken[] | null>(null);
  protected readonly making = signal(false);
  protected readonly made = signal<{ name: string; token: string } | null>(null);
  protected readonly revoked = signal(false);
  protected readonly own = computed(() =>
    PERMISSIONS.filter((permission) => this.user()?.permissions.includes(permission)),
  );
  protected readonly lifetimes = LIFETIMES;
  /** What was chosen of one's own. */
  protected readonly chosen = signal<readonly Permission[]>([]);
  protected readonly form = new FormGroup({
    name: new FormControl('', { nonNullable: true, validators: [Validators.required, Validators.maxLength(100)] }),
    days: new FormControl<number>(LIFETIMES[1], { nonNullable: true }),
    extent: new FormControl<'all' | 'some'>('some', { nonNullable: true }),
  });

  constructor() {
    void this.load();
  }

  protected load(): Promise<boolean> {
    return this.attempt.run(() => this.read());
  }

  protected choose(permission: Permission, isChosen: boolean): void {
    this.chosen.update((chosen) => [
      ...chosen.filter((other) => other !== permission),
      ...(isChosen ? [permission] : []),
    ]);
  }

  protected nothingChosen(): boolean {
    return this.form.controls.extent.value === 'some' && this.chosen().length === 0;
  }

  protected async make(): Promise<void> {
    if (!isSendable(this.form) || this.nothingChosen()) return;
    const { name, days, extent } = this.form.getRawValue();
    const done = await this.attempt.run(async () => {
      const token = await this.api.createToken({
        name,
        ...(extent === 'some' && { permissions: [...this.chosen()] }),
        ...(days > 0 && { expiresAt: new Date(Date.now() + days * DAY_MS).toISOString() }),
      });
      this.made.set({ name, token });
      await this.read();
    }, this.form);
    if (!done) return;
    this.form.reset();
    this.chosen.set([]);
    this.making.set(false);
  }

  protected async revoke({ id, name }: PersonalToken): Promise<void> {
    const { revokeTitle, revokeText, revoke } = this.words().tokens;
    this.revoked.set(false);
    if (!(await confirmed(this.dialog, { title: revokeTitle(name), lead: revokeText, button: revoke }))) return;
    const done = await this.attempt.run(async () => {
      await this.api.revokeToken(id);
      await this.read();
    });
    this.revoked.set(done);
  }

  protected extentOf({ permissions }: PersonalToken): string {
    if (permissions === null) return this.words().tokens.everything;
    return permissions.map((permission) => this.permissionWords().permissions[permission]).join(', ');
  }

  private async read(): Promise<void> {
    this.tokens.set(await this.api.tokens());
  }
}
