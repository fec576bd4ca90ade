import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { CommandState, END_STATES, IN_FLIGHT_STATES } from '@gwanje/contracts';
import { firstValueFrom } from 'rxjs';
import type { Client, Command } from '../../core/http/wire';

export type OpenState = 'pending' | (typeof IN_FLIGHT_STATES)[number];
export type EndState = (typeof END_STATES)[number];

/** What ended from one moment to another, by state. */
export type Bucket = { from: string; to: string } & Record<EndState, number>;

/** Milliseconds; null while nothing ended. */
export interface Percentiles {
  p50: number | null;
  p95: number | null;
}

/** Of what the caller may see, at the moment `at`. */
export interface Overview {
  at: string;
  clients: Record<Client['status'], number>;
  /** `byState`: open now; `ended`: oldest first. */
  commands: { byState: Record<OpenState, number>; ended: Bucket[] };
  throughput: { perMinute: number };
  latency: { waitingMs: Percentiles | null; runningMs: Percentiles | null };
  failedLately: (Pick<Command, 'id' | 'clientId' | 'action' | 'errorMessage' | 'completedAt'> & {
    clientName: string;
    status: CommandState;
  })[];
  /** Oldest first. */
  waiting: { clientId: string; clientName: string; status: Client['status']; pending: number; oldestAt: string }[];
}

/** The call of this page; throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class OverviewApi {
  private readonly http = inject(HttpClient);

  get(hours: number): Promise<Overview> {
    return firstValueFrom(this.http.get<Overview>('/api/overview', { params: { hours } }));
  }
}
