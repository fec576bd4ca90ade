import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { CommandState } from '@gwanje/contracts';
import { firstValueFrom } from 'rxjs';
import type { Client, Command, CommandLog, Page } from '../../core/http/wire';

/** What the list is narrowed to; `clientId` is a client's id or name. */
export interface CommandFilters {
  status?: CommandState;
  clientId?: string;
  action?: string;
  batchId?: string;
}

/** What is sent, to one machine or to many. Times are UTC ISO 8601. */
export interface Order {
  action: string;
  payload: Record<string, unknown>;
  priority: number;
  timeoutMs?: number;
  notBefore?: string;
  expiresAt?: string;
  maxAttempts?: number;
}

export interface Targets {
  clientIds?: string[];
  groups?: string[];
  labels?: Record<string, string>;
  all?: true;
}

/** How many machines are meant, and which of them are off; `offlineClients` are the first of these. */
export interface Preview {
  count: number;
  offline: number;
  offlineClients: { id: string; name: string }[];
}

export interface Batch {
  id: string;
  action: string;
  total: number;
  byStatus: Partial<Record<CommandState, number>>;
}

export interface Artifact {
  id: string;
  name: string;
  contentType: string;
  size: number;
}

/** The calls of these pages. Each throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class CommandsApi {
  private readonly http = inject(HttpClient);

  list(filters: CommandFilters, limit: number, cursor?: string): Promise<Page<Command>> {
    const params = { ...filters, limit, ...(cursor && { cursor }) };
    return firstValueFrom(this.http.get<Page<Command>>('/api/commands', { params }));
  }

  get(id: string): Promise<Command> {
    return firstValueFrom(this.http.get<Command>(address(id)));
  }

  async logs(id: string): Promise<CommandLog[]> {
    return (await firstValueFrom(this.http.get<{ items: CommandLog[] }>(`${address(id)}/logs`))).items;
  }

  /** The same `key` never creates a second command. */
  create(order: Order & { clientId: string }, key: string): Promise<Command> {
    return firstValueFrom(this.http.post<Command>('/api/commands', order, { headers: { 'Idempotency-Key': key } }));
  }

  /** The same `key` never creates a second batch. */
  createBatch(order: Order & { targets: Targets }, key: string): Promise<{ batchId: string; count: number }> {
    const options = { headers: { 'Idempotency-Key': key } };
    return firstValueFrom(this.http.post<{ batchId: string; count: number }>('/api/commands/batch', order, options));
  }

  preview(targets: Targets, action: string): Promise<Preview> {
    return firstValueFrom(this.http.post<Preview>('/api/commands/preview', { targets, action }));
  }

  batch(id: string): Promise<Batch> {
    return firstValueFrom(this.http.get<Batch>(`/api/batches/${encodeURIComponent(id)}`));
  }

  async artifacts(id: string): Promise<Artifact[]> {
    return (await firstValueFrom(this.http.get<{ items: Artifact[] }>(`${address(id)}/artifacts`))).items;
  }

  artifact(id: string, artifactId: string): Promise<Blob> {
    const path = `${address(id)}/artifacts/${encodeURIComponent(artifactId)}`;
    return firstValueFrom(this.http.get(path, { responseType: 'blob' }));
  }

  cancel(id: string): Promise<Command> {
    return firstValueFrom(this.http.post<Command>(`${address(id)}/cancel`, null));
  }

  retry(id: string): Promise<Command> {
    return firstValueFrom(this.http.post<Command>(`${address(id)}/retry`, null));
  }

  clients(): Promise<Page<Client>> {
    return firstValueFrom(this.http.get<Page<Client>>('/api/clients', { params: { limit: 200 } }));
  }

  client(id: string): Promise<Client> {
    return firstValueFrom(this.http.get<Client>(`/api/clients/${encodeURIComponent(id)}`));
  }
}

function address(id: string): string {
  return `/api/commands/${encodeURIComponent(id)}`;
}
