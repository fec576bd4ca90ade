import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { Grant, JsonSchema, ParameterLimits, Permission, Scope } from '@gwanje/contracts';
import { firstValueFrom, type Observable } from 'rxjs';
import type { Page } from '../../core/http/wire';

export interface UserView {
  id: string;
  email: string;
  name: string;
  roles: string[];
  /** `granted` confines the person to grants, whatever their roles say. */
  scope: Scope;
  disabled: boolean;
  secondFactor: boolean;
  createdAt: string;
}

export interface NewUser {
  email: string;
  name: string;
  password?: string;
  roles: string[];
  scope: Scope;
}

export interface Role {
  id: string;
  name: string;
  permissions: Permission[];
  scope: Scope;
  requiresSecondFactor: boolean;
  builtIn: boolean;
}

export type RoleInput = Partial<Pick<Role, 'name' | 'permissions' | 'scope' | 'requiresSecondFactor'>>;
export type GrantView = Grant & { id?: string };

export interface UserSession {
  id: string;
  address: string | null;
  userAgent: string | null;
  lastUsedAt: string;
}

export interface UserToken {
  id: string;
  name: string;
  permissions: Permission[] | null;
  expiresAt: string | null;
  lastUsedAt: string | null;
}

/** As much of a client as a grant is about. */
export interface Machine {
  id: string;
  name: string;
  groups: string[];
  agent: { actions: { name: string; schema?: JsonSchema }[] } | null;
}

/** Where grants hang: on one client or on one group. */
export type Place = { client: string } | { group: string };

export interface Question {
  user: string;
  client: string;
  action?: string;
  permission?: string;
  /** JSON. */
  payload?: string;
}

export interface Explanation {
  allowed: boolean;
  reasons: string[];
  user: {
    id: string;
    email: string;
    roles: string[];
    permissions: Permission[];
    everywhere: boolean;
    secondFactor: { enabled: boolean; required: boolean; satisfied: boolean; unprovenSessions: number } | null;
  };
  client: { id: string; name: string; groups: string[] };
  grants: ExplainedGrant[];
}

export interface ExplainedGrant {
  grantId: string;
  role: string | null;
  group: string | null;
  actions: string[];
  limits: ParameterLimits;
  faults?: { path: string; message: string }[];
}

const PAGE = 50;

/** The calls about people, roles and grants. Each throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class AccessApi {
  private readonly http = inject(HttpClient);

  users(q: string, cursor?: string): Promise<Page<UserView>> {
    const params = { limit: PAGE, ...(q && { q }), ...(cursor && { cursor }) };
    return answer(this.http.get<Page<UserView>>('/api/users', { params }));
  }

  user(id: string): Promise<UserView> {
    return answer(this.http.get<UserView>(ofUser(id)));
  }

  /** Answers the made-up password when none was given. */
  createUser(user: NewUser): Promise<UserView & { temporaryPassword?: string }> {
    return answer(this.http.post<UserView & { temporaryPassword?: string }>('/api/users', user));
  }

  updateUser(id: string, change: Partial<Pick<UserView, 'email' | 'name' | 'scope' | 'disabled'>>): Promise<UserView> {
    return answer(this.http.patch<UserView>(ofUser(id), change));
  }

  setRoles(id: string, roles: string[]): Promise<UserView> {
    return answer(this.http.put<UserView>(`${ofUser(id)}/roles`, { roles }));
  }

  async deleteUser(id: string): Promise<void> {
    await answer(this.http.delete(ofUser(id)));
  }

  /** Answers the new made-up password. */
  async resetPassword(id: string): Promise<string> {
    return (await answer(this.http.post<{ temporaryPassword: string }>(`${ofUser(id)}/reset-password`, null)))
      .temporaryPassword;
  }

  async resetSecondFactor(id: string): Promise<void> {
    await answer(this.http.delete(`${ofUser(id)}/second-factor`));
  }

  async sessions(id: string): Promise<UserSession[]> {
    return (await answer(this.http.get<{ items: UserSession[] }>(`${ofUser(id)}/sessions`))).items;
  }

  async endSessions(id: string): Promise<void> {
    await answer(this.http.delete(`${ofUser(id)}/sessions`));
  }

  async tokens(id: string): Promise<UserToken[]> {
    return (await answer(this.http.get<{ items: UserToken[] }>(`${ofUser(id)}/tokens`))).items;
  }

  async revokeToken(id: string, tokenId: string): Promise<void> {
    await answer(this.http.delete(`${ofUser(id)}/tokens/${encodeURIComponent(tokenId)}`));
  }

  async roles(): Promise<Role[]> {
    return (await answer(this.http.get<{ items: Role[] }>('/api/roles'))).items;
  }

  createRole(name: string): Promise<Role> {
    return answer(this.http.post<Role>('/api/roles', { name, permissions: [] }));
  }

  updateRole(id: string, change: RoleInput): Promise<Role> {
    return answer(this.http.patch<Role>(`/api/roles/${encodeURIComponent(id)}`, change));
  }

  async deleteRole(id: string): Promise<void> {
    await answer(this.http.delete(`/api/roles/${encodeURIComponent(id)}`));
  }

  async grants(place: Place): Promise<GrantView[]> {
    return (await answer(this.http.get<{ items: GrantView[] }>(grantsOf(place)))).items;
  }

  /** Replaces the place's own grants. */
  async setGrants(place: Place, items: GrantView[]): Promise<GrantView[]> {
    return (await answer(this.http.put<{ items: GrantView[] }>(grantsOf(place), { items }))).items;
  }

  machine(idOrName: string): Promise<Machine> {
    return answer(this.http.get<Machine>(`/api/clients/${encodeURIComponent(idOrName)}`));
  }

  /** The first that match, for suggestions. */
  async machines(q: string): Promise<Machine[]> {
    const params = { limit: PAGE, ...(q && { q }) };
    return (await answer(this.http.get<Page<Machine>>('/api/clients', { params }))).items;
  }

  explain(question: Question): Promise<Explanation> {
    return answer(this.http.get<Explanation>('/api/permissions/explain', { params: { ...question } }));
  }
}

const answer = <T>(call: Observable<T>): Promise<T> => firstValueFrom(call);
const ofUser = (id: string): string => `/api/users/${encodeURIComponent(id)}`;
const grantsOf = (place: Place): string =>
  'client' in place
    ? `/api/clients/${encodeURIComponent(place.client)}/permissions`
    : `/api/groups/${encodeURIComponent(place.group)}/permissions`;
