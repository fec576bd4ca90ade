import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { Alert, AlertChannel, AlertCondition, AlertDelivery, AlertRule } from '@gwanje/contracts';
import { firstValueFrom } from 'rxjs';

export interface Listed<T> {
  items: T[];
  nextCursor: string | null;
}

/** What a rule is made of. */
export interface RuleInput {
  name: string;
  enabled: boolean;
  condition: AlertCondition;
  channels: string[];
}

export type ChannelInput =
  { name: string; kind: 'webhook'; url: string } | { name: string; kind: 'email'; addresses: string[] };

/** The calls of these pages. Each throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class AlertsApi {
  private readonly http = inject(HttpClient);

  fired(state: string, cursor: string | null): Promise<Listed<Alert>> {
    return this.list<Alert>('/api/alerts', { state, cursor });
  }

  deliveries(state: string, cursor: string | null): Promise<Listed<AlertDelivery>> {
    return this.list<AlertDelivery>('/api/alerts/deliveries', { state, cursor });
  }

  async rules(): Promise<AlertRule[]> {
    return (await this.list<AlertRule>('/api/alerts/rules')).items;
  }

  /** A new one, or a changed one where there is an id. */
  async saveRule(id: string | null, rule: RuleInput): Promise<void> {
    const call = id ? this.http.patch(`/api/alerts/rules/${id}`, rule) : this.http.post('/api/alerts/rules', rule);
    await firstValueFrom(call);
  }

  async removeRule(id: string): Promise<void> {
    await firstValueFrom(this.http.delete(`/api/alerts/rules/${id}`));
  }

  async channels(): Promise<AlertChannel[]> {
    return (await this.list<AlertChannel>('/api/alerts/channels')).items;
  }

  /** Answers the secret of a webhook: nothing tells it again. */
  async createChannel(channel: ChannelInput): Promise<string | null> {
    const made = await firstValueFrom(this.http.post<{ secret?: string }>('/api/alerts/channels', channel));
    return made.secret ?? null;
  }

  async rotateSecret(id: string): Promise<string> {
    const answer = this.http.post<{ secret: string }>(`/api/alerts/channels/${id}/rotate-secret`, null);
    return (await firstValueFrom(answer)).secret;
  }

  async removeChannel(id: string): Promise<void> {
    await firstValueFrom(this.http.delete(`/api/alerts/channels/${id}`));
  }

  async testChannel(id: string): Promise<void> {
    await firstValueFrom(this.http.post(`/api/alerts/channels/${id}/test`, null));
  }

  async retry(deliveryId: string): Promise<void> {
    await firstValueFrom(this.http.post(`/api/alerts/deliveries/${deliveryId}/retry`, null));
  }

  private list<T>(path: string, query: Record<string, string | null> = {}): Promise<Listed<T>> {
    const params = Object.fromEntries(Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]));
    return firstValueFrom(this.http.get<Listed<T>>(path, { params }));
  }
}
