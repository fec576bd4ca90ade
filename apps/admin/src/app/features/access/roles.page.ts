import { Dialog } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { type Permission, type Scope, SCOPES } from '@gwanje/contracts';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { confirmed } from '../../shared/confirm-dialog';
import { FieldFault } from '../../shared/field-fault';
import { Icon } from '../../shared/icon';
import { loadAgainWhenBack } from '../../shared/load-again';
import { PERMISSION_WORDS, permissionGroups } from '../../shared/permission-words';
import { ProblemNotice } from '../../shared/problem-notice';
import { isSendable } from '../../shared/server-faults';
import { refusalWords } from '../../shared/server-words';
import { AccessApi, type Role } from './access-api';
import { changeOf, inputOf, type RoleChange, type RoleDraft } from './role-changes';
import { en } from './words/en';
import { ko } from './words/ko';

/** All roles as one matrix. Nothing is sent before the list of what would change was there to read. */
@Component({
  selector: 'gw-roles-page',
  imports: [
    FieldFault,
    Icon,
    MatButtonModule,
    MatCheckboxModule,
    MatFormFieldModule,
    MatInputModule,
    MatProgressBarModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
  ],
  templateUrl: './roles.page.html',
  styleUrl: './roles.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class RolesPage {
  private readonly api = inject(AccessApi);
  private readonly dialog = inject(Dialog);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly permissionWords = this.i18n.words(PERMISSION_WORDS);
  protected readonly groups = permissionGroups();
  protected readonly scopes = SCOPES;

  protected readonly roles = signal<readonly Role[]>([]);
  private readonly drafts = signal<ReadonlyMap<string, RoleDraft>>(new Map());
  /** The one that a narrow screen has room for. */
  protected readonly shownId = signal<string | null>(null);
  protected readonly mayManage = computed(() => this.may('roles.manage'));
  protected readonly changes = computed(() =>
    this.roles().flatMap((role) => changeOf(role, this.drafts().get(role.id)) ?? []),
  );

  protected readonly reading = new Attempt();
  protected readonly saving = new Attempt();
  protected readonly problemWords = computed(() => refusalWords(this.saving.problem(), this.i18n.language()));
  /** The role that could not be saved. */
  protected readonly failed = signal<string | null>(null);
  protected readonly saved = signal(false);
  protected readonly adding = signal(false);
  protected readonly form = new FormGroup({
    name: new FormControl('', { nonNullable: true, validators: [Validators.required, Validators.maxLength(100)] }),
  });

  constructor() {
    void this.load();
    loadAgainWhenBack(this.reading.problem, () => this.load());
  }

  protected load(): Promise<boolean> {
    return this.reading.run(() => this.read());
  }

  protected has(role: Role, permission: Permission): boolean {
    return (this.drafts().get(role.id)?.permissions ?? role.permissions).includes(permission);
  }

  /** Nobody gives or takes what they do not have. */
  protected mayTurn(role: Role, permission: Permission): boolean {
    return this.mayManage() && !role.builtIn && this.may(permission);
  }

  protected scopeOf(role: Role): Scope {
    return this.drafts().get(role.id)?.scope ?? role.scope;
  }

  protected demandsFactor(role: Role): boolean {
    return this.drafts().get(role.id)?.requiresSecondFactor ?? role.requiresSecondFactor;
  }

  protected turn(role: Role, permission: Permission, isOn: boolean): void {
    const now = this.drafts().get(role.id)?.permissions ?? role.permissions;
    const others = now.filter((other) => other !== permission);
    this.draft(role, { permissions: isOn ? [...others, permission] : others });
  }

  protected draft(role: Role, change: RoleDraft): void {
    this.saved.set(false);
    this.drafts.update((drafts) => new Map([...drafts, [role.id, { ...drafts.get(role.id), ...change }]]));
  }

  protected discard(): void {
    this.drafts.set(new Map());
    this.saving.problem.set(null);
    this.failed.set(null);
  }

  /** One role after the other; what could not be saved stays as it was drafted. */
  protected async save(): Promise<void> {
    this.failed.set(null);
    const done = await this.saving.run(async () => {
      for (const change of this.changes()) {
        this.failed.set(change.role.name);
        const after = await this.api.updateRole(change.role.id, inputOf(change));
        this.roles.update((roles) => roles.map((role) => (role.id === after.id ? after : role)));
      }
    });
    if (!done) return;
    this.failed.set(null);
    this.drafts.set(new Map());
    this.saved.set(true);
  }

  protected async add(): Promise<void> {
    if (!isSendable(this.form)) return;
    const done = await this.saving.run(async () => {
      const { id } = await this.api.createRole(this.form.controls.name.value);
      await this.read();
      this.shownId.set(id);
    }, this.form);
    if (!done) return;
    this.form.reset();
    this.adding.set(false);
  }

  protected async remove(role: Role): Promise<void> {
    const { removeOf, removeText, remove } = this.words().roles;
    if (!(await confirmed(this.dialog, { title: removeOf(role.name), lead: removeText, button: remove }))) return;
    await this.saving.run(async () => {
      await this.api.deleteRole(role.id);
      await this.read();
    });
  }

  protected sentencesOf({ gains, loses, scope, requiresSecondFactor }: RoleChange): string[] {
    const { roles } = this.words();
    const named = (permissions: Permission[]): string =>
      permissions.map((permission) => this.permissionWords().permissions[permission]).join(', ');
    return [
      ...(gains.length > 0 ? [roles.gains(named(gains))] : []),
      ...(loses.length > 0 ? [roles.loses(named(loses))] : []),
      ...(scope !== null ? [roles.becomes(roles.scopes[scope])] : []),
      ...(requiresSecondFactor === true ? [roles.factorOn] : []),
      ...(requiresSecondFactor === false ? [roles.factorOff] : []),
    ];
  }

  private may(permission: Permission): boolean {
    return this.user()?.permissions.includes(permission) ?? false;
  }

  private async read(): Promise<void> {
    const roles = await this.api.roles();
    this.roles.set(roles);
    if (!roles.some(({ id }) => id === this.shownId())) this.shownId.set(roles[0]?.id ?? null);
  }
}
