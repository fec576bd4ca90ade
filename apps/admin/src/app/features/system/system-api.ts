import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import { firstValueFrom } from 'rxjs';

/** `GET /api/system`. Times are UTC ISO 8601. */
export interface SystemView {
  at: string;
  version: string;
  node: string;
  startedAt: string;
  parts: {
    name: 'postgresql' | 'redis' | 'rabbitmq' | 'audit';
    status: 'up' | 'down';
    version: string | null;
    milliseconds: number | null;
    detail: string | null;
  }[];
  queues: { name: string; counts: Record<string, number> | null }[];
  gateways: {
    id: string;
    host: string | null;
    pid: number | null;
    version: string | null;
    agents: number;
    streams: number;
    startedAt: string;
    seenAt: string;
  }[];
  agents: { version: string | null; count: number }[];
}

export interface FailedJob {
  id: string;
  attempts: number;
  reason: string;
  failedAt: string | null;
}

/** The calls of this page. Each throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class SystemApi {
  private readonly http = inject(HttpClient);

  read(): Promise<SystemView> {
    return firstValueFrom(this.http.get<SystemView>('/api/system'));
  }

  async failed(queue: string): Promise<FailedJob[]> {
    return (await firstValueFrom(this.http.get<{ items: FailedJob[] }>(`${address(queue)}/failed`))).items;
  }

  retry(queue: string, job: string): Promise<void> {
    return firstValueFrom(this.http.post<void>(`${address(queue)}/failed/${encodeURIComponent(job)}/retry`, null));
  }
}

const address = (queue: string): string => `/api/system/queues/${encodeURIComponent(queue)}`;
