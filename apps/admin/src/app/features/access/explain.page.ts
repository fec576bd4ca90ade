import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { type AbstractControl, FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatRadioModule } from '@angular/material/radio';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import { ACTIONS, type Permission, PERMISSIONS } from '@gwanje/contracts';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { FieldFault } from '../../shared/field-fault';
import { Icon } from '../../shared/icon';
import { PERMISSION_WORDS } from '../../shared/permission-words';
import { ProblemNotice } from '../../shared/problem-notice';
import { isSendable } from '../../shared/server-faults';
import { serverWords } from '../../shared/server-words';
import { AccessApi, type Explanation } from './access-api';
import { stepsOf } from './explain-steps';
import { en } from './words/en';
import { ko } from './words/ko';

/** Why somebody may, or may not, do something on a client. The question is in the address, so that it can be passed on. */
@Component({
  selector: 'gw-explain-page',
  imports: [
    FieldFault,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatRadioModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
    RouterLink,
  ],
  templateUrl: './explain.page.html',
  styleUrl: './explain.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ExplainPage {
  readonly user = input<string>();
  readonly client = input<string>();
  readonly action = input<string>();
  readonly permission = input<string>();
  readonly payload = input<string>();

  private readonly api = inject(AccessApi);
  private readonly router = inject(Router);
  private readonly session = inject(Session);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly permissionWords = this.i18n.words(PERMISSION_WORDS);
  protected readonly permissions = PERMISSIONS.filter((name) => name !== 'commands.create');
  protected readonly actionNames = Object.keys(ACTIONS);
  protected readonly attempt = new Attempt();
  protected readonly answer = signal<Explanation | null>(null);
  protected readonly mayManageGrants = computed(
    () => this.session.user()?.permissions.includes('grants.manage') ?? false,
  );

  protected readonly form = new FormGroup({
    user: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    client: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    kind: new FormControl<'action' | 'permission'>('action', { nonNullable: true }),
    action: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    permission: new FormControl<Permission>('commands.read', { nonNullable: true }),
    payload: new FormControl('', { nonNullable: true, validators: [jsonObjectOrNothing] }),
  });

  private readonly asked = computed<Permission>(
    () => PERMISSIONS.find((permission) => permission === this.permission()) ?? 'commands.create',
  );
  protected readonly steps = computed(() => {
    const answer = this.answer();
    if (!answer) return [];
    const permission = this.asked();
    return stepsOf(answer, permission, this.permissionWords().permissions[permission], this.words(), (message) =>
      serverWords(message, this.i18n.language()),
    );
  });
  protected readonly verdict = computed(() => {
    const answer = this.answer();
    if (!answer) return '';
    const { explain } = this.words();
    if (!answer.allowed) return explain.no(answer.user.email);
    const action = this.action();
    const isLimited =
      action !== undefined &&
      !answer.user.everywhere &&
      answer.grants.length > 0 &&
      answer.grants.every(({ limits, faults }) => !faults && Object.hasOwn(limits, action));
    return isLimited ? explain.yesWithin(answer.user.email) : explain.yes(answer.user.email);
  });

  constructor() {
    const { kind, action, payload } = this.form.controls;
    // What is not asked about is not on the page, and stands in nobody's way.
    kind.valueChanges.pipe(takeUntilDestroyed()).subscribe((about) => {
      for (const control of [action, payload]) {
        if (about === 'action') control.enable();
        else control.disable();
      }
    });
    effect(() => {
      const question = { user: this.user(), client: this.client(), action: this.action(), payload: this.payload() };
      const permission = PERMISSIONS.find((name) => name === this.permission());
      untracked(() => void this.explain(question, permission));
    });
  }

  /** Puts the question into the address, from where it is asked. */
  protected ask(): void {
    const { user, client, kind, action, permission, payload } = this.form.getRawValue();
    if (!isSendable(this.form)) return;
    const about = kind === 'action' ? { action, permission: null } : { action: null, permission };
    const queryParams = {
      user: user.trim(),
      client: client.trim(),
      ...about,
      payload: kind === 'action' && payload.trim() !== '' ? payload.trim() : null,
    };
    const same =
      this.router.createUrlTree([], { queryParams, queryParamsHandling: 'merge' }).toString() === this.router.url;
    if (same)
      void this.explain({ user, client, action: about.action ?? undefined, payload }, about.permission ?? undefined);
    else void this.router.navigate([], { queryParams, queryParamsHandling: 'merge' });
  }

  private async explain(
    { user, client, action, payload }: Partial<Record<'user' | 'client' | 'action' | 'payload', string | undefined>>,
    permission: Permission | undefined,
  ): Promise<void> {
    this.form.patchValue({
      user: user ?? '',
      client: client ?? '',
      kind: permission === undefined ? 'action' : 'permission',
      action: action ?? '',
      ...(permission && { permission }),
      payload: payload ?? '',
    });
    this.answer.set(null);
    if (!user || !client || (!action && !permission)) return;
    const question = {
      user,
      client,
      ...(action && { action }),
      ...(permission && { permission }),
      ...(payload && { payload }),
    };
    await this.attempt.run(async () => this.answer.set(await this.api.explain(question)), this.form);
  }
}

function jsonObjectOrNothing({ value }: AbstractControl<string>): { jsonObject: true } | null {
  if (value.trim() === '') return null;
  try {
    const read: unknown = JSON.parse(value);
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? null : { jsonObject: true };
  } catch {
    return { jsonObject: true };
  }
}
