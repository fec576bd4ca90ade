import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { Grant } from '@gwanje/contracts';
import { firstValueFrom, type Observable } from 'rxjs';
import type { Client, Command, Page } from '../../core/http/wire';

export interface ClientSettings {
  name: string;
  groups: string[];
  labels: Record<string, string>;
  concurrency: number;
}

/** A client and its key, which the server says this once. */
export type Keyed = Pick<Client, 'id' | 'name'> & { clientKey: string };

export interface ClientKey {
  id: string;
  createdAt: string;
  /** When a rotation ends it; null while it is the newest. */
  validUntil: string | null;
}

export interface EnrolmentToken {
  id: string;
  groups: string[];
  usesLeft: number;
  expiresAt: string;
  createdAt: string;
}

const MOST = 200;
const HISTORY = 20;
const QUEUE = 200;

/** The calls of these pages. Each throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class ClientsApi {
  private readonly http = inject(HttpClient);

  page(cursor: string | null): Promise<Page<Client>> {
    return this.ask(this.http.get('/api/clients', { params: { limit: MOST, ...(cursor && { cursor }) } }));
  }

  get(id: string): Promise<Client> {
    return this.ask(this.http.get(address(id)));
  }

  create(settings: ClientSettings): Promise<Keyed> {
    return this.ask(this.http.post('/api/clients', settings));
  }

  update(id: string, settings: Partial<ClientSettings>): Promise<Client> {
    return this.ask(this.http.patch(address(id), settings));
  }

  remove(id: string): Promise<void> {
    return this.ask(this.http.delete(address(id)));
  }

  /** In the order in which the client is served. */
  queue(id: string): Promise<Page<Command>> {
    return this.ask(this.http.get(`${address(id)}/queue`, { params: { limit: QUEUE } }));
  }

  history(id: string): Promise<Page<Command>> {
    return this.ask(this.http.get('/api/commands', { params: { clientId: id, limit: HISTORY } }));
  }

  rights(id: string): Promise<{ items: (Grant & { id: string })[] }> {
    return this.ask(this.http.get(`${address(id)}/permissions`));
  }

  keys(id: string): Promise<{ items: ClientKey[] }> {
    return this.ask(this.http.get(`${address(id)}/keys`));
  }

  rotateKey(id: string, overlapSeconds: number): Promise<Keyed> {
    return this.ask(this.http.post(`${address(id)}/rotate-key`, { overlapSeconds }));
  }

  revokeKey(id: string, keyId: string): Promise<void> {
    return this.ask(this.http.delete(`${address(id)}/keys/${encodeURIComponent(keyId)}`));
  }

  enrolmentTokens(): Promise<Page<EnrolmentToken>> {
    return this.ask(this.http.get('/api/enrolment-tokens', { params: { limit: MOST } }));
  }

  createEnrolmentToken(input: {
    groups: string[];
    uses: number;
    expiresAt: string;
  }): Promise<EnrolmentToken & { token: string }> {
    return this.ask(this.http.post('/api/enrolment-tokens', input));
  }

  revokeEnrolmentToken(id: string): Promise<void> {
    return this.ask(this.http.delete(`/api/enrolment-tokens/${encodeURIComponent(id)}`));
  }

  /** Whether the server gives out the agent as one file. */
  givesAgents(): Promise<boolean> {
    return this.ask(this.http.get('/api/agent/bundle.json')).then(
      () => true,
      () => false,
    );
  }

  private ask<T>(call: Observable<unknown>): Promise<T> {
    return firstValueFrom(call as Observable<T>);
  }
}

function address(id: string): string {
  return `/api/clients/${encodeURIComponent(id)}`;
}
