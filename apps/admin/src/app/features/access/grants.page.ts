import { Dialog } from '@angular/cdk/dialog';
import { NgTemplateOutlet } from '@angular/common';
import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatRadioModule } from '@angular/material/radio';
import { Router, RouterLink } from '@angular/router';
import { ACTIONS } from '@gwanje/contracts';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { confirmed } from '../../shared/confirm-dialog';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { loadAgainWhenBack } from '../../shared/load-again';
import { ProblemNotice } from '../../shared/problem-notice';
import { refusalWords } from '../../shared/server-words';
import { AccessApi, type GrantView, type Machine, type Place, type Role } from './access-api';
import { GrantEditor, type OfferedAction } from './grant-editor';
import { actionWords, limitWords, whomWords } from './grant-words';
import { en } from './words/en';
import { ko } from './words/ko';

/** The grants of one client or of one group; which one is in the address. */
@Component({
  selector: 'gw-grants-page',
  imports: [
    EmptyState,
    GrantEditor,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatProgressBarModule,
    MatRadioModule,
    NgTemplateOutlet,
    ProblemNotice,
    RouterLink,
  ],
  templateUrl: './grants.page.html',
  styleUrl: './grants.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class GrantsPage {
  /** A client's name or id, or a group, from the address. */
  readonly client = input<string>();
  readonly group = input<string>();

  private readonly api = inject(AccessApi);
  private readonly router = inject(Router);
  private readonly dialog = inject(Dialog);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly whom = whomWords;

  protected readonly place = computed<Place | null>(() => {
    const [client, group] = [this.client(), this.group()];
    return client ? { client } : group ? { group } : null;
  });
  /** What the form asks for. */
  protected readonly kind = signal<'client' | 'group'>('client');
  protected readonly suggestions = signal<readonly Machine[]>([]);
  protected readonly groupNames = computed(() =>
    [...new Set(this.suggestions().flatMap(({ groups }) => groups))].sort((a, b) => a.localeCompare(b)),
  );

  protected readonly grants = signal<readonly GrantView[] | null>(null);
  protected readonly machine = signal<Machine | null>(null);
  protected readonly roles = signal<readonly Role[]>([]);
  protected readonly own = computed(() => this.grants()?.filter((grant) => this.isOwn(grant)) ?? []);
  protected readonly byGroups = computed(() => this.grants()?.filter((grant) => !this.isOwn(grant)) ?? []);
  /** What is being edited: what the form began with, and the grant that it replaces, or none for a new one. */
  protected readonly editing = signal<{ begun: GrantView | null; replaces: GrantView | null } | null>(null);
  protected readonly isAdding = computed(() => this.editing()?.replaces === null);
  protected readonly actions = computed(() => offered(this.machine()));

  protected readonly reading = new Attempt();
  protected readonly saving = new Attempt();
  protected readonly problemWords = computed(() => refusalWords(this.saving.problem(), this.i18n.language()));
  protected readonly changedMeanwhile = signal(false);
  protected readonly saved = signal(false);

  constructor() {
    effect(() => {
      const place = this.place();
      untracked(() => void this.load(place));
    });
    if (this.user()?.permissions.includes('clients.read')) void this.suggest('');
    loadAgainWhenBack(this.reading.problem, () => this.load());
  }

  protected show(name: string): void {
    const queryParams = { client: null, group: null, [this.kind()]: name.trim() || null };
    void this.router.navigate([], { queryParams });
  }

  protected async suggest(q: string): Promise<void> {
    // Suggestions are a help: without them the name can still be typed.
    await this.api.machines(q.trim()).then(
      (machines) => this.suggestions.set(machines),
      () => undefined,
    );
  }

  protected async load(place = this.place()): Promise<void> {
    this.grants.set(null);
    this.machine.set(null);
    this.editing.set(null);
    this.saved.set(false);
    this.changedMeanwhile.set(false);
    this.kind.set(place && 'group' in place ? 'group' : 'client');
    if (!place) return;
    await this.reading.run(async () => {
      const [grants, roles, machine] = await Promise.all([
        this.api.grants(place),
        this.api.roles(),
        'client' in place ? this.machineOf(place.client) : null,
      ]);
      if (place !== this.place()) return;
      this.grants.set(grants);
      this.roles.set(roles);
      this.machine.set(machine);
    });
  }

  protected edit(grant: GrantView | null): void {
    this.saving.problem.set(null);
    this.saved.set(false);
    this.editing.set({ begun: grant, replaces: grant });
  }

  protected async save(grant: GrantView): Promise<void> {
    const replaced = this.editing()?.replaces ?? null;
    const own = this.own();
    const done = await this.replace(
      replaced ? own.map((other) => (other === replaced ? grant : other)) : [...own, grant],
    );
    if (done) this.editing.set(null);
    // What was written goes on from what is there now.
    else if (replaced && !this.own().includes(replaced)) {
      this.editing.set({ begun: grant, replaces: successorOf(replaced, this.own()) });
    }
  }

  protected async remove(grant: GrantView): Promise<void> {
    const { removeTitle, removeText, remove } = this.words().grants;
    const title = `${removeTitle} ${whomWords(grant)}`;
    if (!(await confirmed(this.dialog, { title, lead: removeText, button: remove }))) return;
    this.editing.set(null);
    await this.replace(this.own().filter((other) => other !== grant));
  }

  protected actionsOf({ actions }: GrantView): string {
    return actionWords(actions, this.words());
  }

  protected limitsOf({ limits }: GrantView): string[] {
    return limitWords(limits, this.words());
  }

  /** The call replaces all grants of the place: it is not made when others have changed them since they were read. */
  private async replace(items: GrantView[]): Promise<boolean> {
    const place = this.place();
    if (!place) return false;
    this.saved.set(false);
    this.changedMeanwhile.set(false);
    const done = await this.saving.run(async () => {
      const now = await this.api.grants(place);
      if (JSON.stringify(now) !== JSON.stringify(this.grants())) {
        this.changedMeanwhile.set(true);
        this.grants.set(now);
        return;
      }
      this.grants.set(await this.api.setGrants(place, items));
    });
    this.saved.set(done && !this.changedMeanwhile());
    return this.saved();
  }

  /** Of a client, those for one of its groups are edited there. */
  private isOwn({ group }: GrantView): boolean {
    return group === undefined || this.group() !== undefined;
  }

  private machineOf(client: string): Promise<Machine | null> {
    return this.api.machine(client).catch(() => null);
  }
}

/** The same grant among those that were read later, where every change gives all of them other ids; null when that cannot be told. */
function successorOf(grant: GrantView, later: readonly GrantView[]): GrantView | null {
  const content = ({ id: _, ...rest }: GrantView): string => JSON.stringify(rest);
  const ofSame = later.filter((other) => whomWords(other) === whomWords(grant));
  const [only, ...more] = ofSame;
  return ofSame.find((other) => content(other) === content(grant)) ?? (more.length === 0 ? (only ?? null) : null);
}

/** Built-in actions, and those that the machine's agent has of its own. */
function offered(machine: Machine | null): OfferedAction[] {
  const builtIn = Object.values(ACTIONS).map(({ name, payload }) => ({ name, payload }));
  const others = machine?.agent?.actions.filter(({ name }) => !Object.hasOwn(ACTIONS, name)) ?? [];
  return [...builtIn, ...others.map(({ name, schema }) => ({ name, ...(schema && { payload: schema }) }))];
}
