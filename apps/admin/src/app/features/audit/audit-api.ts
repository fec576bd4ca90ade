import { HttpClient, HttpErrorResponse, HttpHeaders } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { AuditExport, AuditExportFormat, AuditFilter, AuditItem, CheckpointStatement } from '@gwanje/contracts';
import { firstValueFrom, throwError } from 'rxjs';
import { FETCH } from '../../core/events/event-stream';
import type { Page } from '../../core/http/wire';
import { Session } from '../../core/session/session';

export interface Seals {
  items: (CheckpointStatement & { signature: string })[];
  nextCursor: string | null;
  /** PEM of the key that signs now. */
  publicKey: string | null;
  /** `id` is the fingerprint, `publicKey` PEM. */
  keys: { id: string; publicKey: string; vouched: { statement: { keyId: string } } | null }[];
  /** What waits for its seal; counted up to 10,000. */
  unsealed: { rows: number; since: string | null };
}

const PAGE = 50;

/** The calls about the audit log. Each throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class AuditApi {
  private readonly http = inject(HttpClient);
  private readonly session = inject(Session);
  private readonly fetch = inject(FETCH);

  list(filter: AuditFilter, cursor?: string): Promise<Page<AuditItem>> {
    const params = { ...filter, limit: PAGE, ...(cursor && { cursor }) };
    return firstValueFrom(this.http.get<Page<AuditItem>>('/api/audit', { params }));
  }

  entry(id: string): Promise<AuditItem> {
    return firstValueFrom(this.http.get<AuditItem>(`/api/audit/${encodeURIComponent(id)}`));
  }

  /** Answers the id of the export. */
  async order(format: AuditExportFormat, filter: AuditFilter): Promise<string> {
    const body = { format, ...(Object.keys(filter).length > 0 && { filter }) };
    return (await firstValueFrom(this.http.post<{ id: string }>('/api/audit/exports', body))).id;
  }

  exports(cursor?: string): Promise<Page<AuditExport>> {
    const params = { limit: PAGE, ...(cursor && { cursor }) };
    return firstValueFrom(this.http.get<Page<AuditExport>>('/api/audit/exports', { params }));
  }

  /** The file, which the browser keeps on its disk when it is large; the token travels in a header, never in an address. */
  async download(id: string): Promise<Blob> {
    const ask = (token: string | null): Promise<Response> =>
      this.fetch(`/api/audit/exports/${encodeURIComponent(id)}/download`, {
        headers: { Authorization: `Bearer ${token ?? ''}` },
        cache: 'no-store',
      }).catch(noAnswer);
    let response = await ask(this.session.token);
    if (response.status === 401) response = await ask(await this.session.refresh());
    if (!response.ok) {
      const { status, headers } = response;
      const error: unknown = await response.json().catch(() => null);
      return refuse({ status, headers: new HttpHeaders(headers), error });
    }
    return response.blob().catch(noAnswer);
  }

  seals(cursor?: string): Promise<Seals> {
    const params = { limit: PAGE, ...(cursor && { cursor }) };
    return firstValueFrom(this.http.get<Seals>('/api/audit/checkpoints', { params }));
  }
}

/** What `fetch` tells of becomes what `HttpClient` would have told of it. */
const refuse = (response: { status: number; headers?: HttpHeaders; error: unknown }): Promise<never> =>
  firstValueFrom(throwError(() => new HttpErrorResponse(response)));
const noAnswer = (error: unknown): Promise<never> => refuse({ status: 0, error });
