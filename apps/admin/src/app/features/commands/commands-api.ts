import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { CommandState } from '@gwanje/contracts';
import { firstValueFrom } from 'rxjs';
import type { Client, Command, CommandLog, CommandOutput, Page } from '../../core/http/wire';

/** What the list is narrowed to; `clientId` is a client's id or name. */
export interface CommandFilters {
  status?: CommandState;
  clientId?: string;
  action?: string;
}

export interface NewCommand {
  clientId: string;
  action: string;
  payload: Record<string, unknown>;
  priority: number;
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

  async output(id: string): Promise<CommandOutput[]> {
    return (await firstValueFrom(this.http.get<{ items: CommandOutput[] }>(`${address(id)}/output`))).items;
  }

  /** The same `key` never creates a second command. */
  create(command: NewCommand, key: string): Promise<Command> {
    return firstValueFrom(this.http.post<Command>('/api/commands', command, { headers: { 'Idempotency-Key': key } }));
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
