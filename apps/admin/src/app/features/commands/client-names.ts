import { computed, inject, Injectable, signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { EventStream } from '../../core/events/event-stream';
import type { Client } from '../../core/http/wire';
import { CommandsApi } from './commands-api';

/** The names of clients by id: the newest 200 at once, any other when it is first met. Without the right to read them, ids. */
@Injectable()
export class ClientNames {
  private readonly api = inject(CommandsApi);
  private readonly known = signal<ReadonlyMap<string, string>>(new Map());
  private readonly asked = new Set<string>();

  /** In the order of the alphabet, for suggestions. */
  readonly all = computed(() => [...new Set(this.known().values())].sort((a, b) => a.localeCompare(b)));
  /** Whether the first answer is there. */
  readonly loaded = signal(false);

  constructor() {
    inject(EventStream)
      .news('client')
      .pipe(takeUntilDestroyed())
      .subscribe((client) => this.note([client]));
    void this.api
      .clients()
      .then(({ items }) => {
        this.note(items);
        this.loaded.set(true);
      })
      .catch(() => undefined);
  }

  /** The name, or the id as long as the name is not known. */
  of(id: string): string {
    return this.known().get(id) ?? id;
  }

  /** Asks for names that are not known yet; each is asked for once. */
  async meet(ids: readonly string[]): Promise<void> {
    const unknown = [...new Set(ids)].filter((id) => !this.known().has(id) && !this.asked.has(id));
    unknown.forEach((id) => this.asked.add(id));
    await Promise.all(
      unknown.map((id) =>
        this.api.client(id).then(
          (client) => this.note([client]),
          () => undefined /* not for this person to read: the id is shown */,
        ),
      ),
    );
  }

  private note(clients: readonly Pick<Client, 'id' | 'name'>[]): void {
    this.known.update((known) => new Map([...known, ...clients.map(({ id, name }) => [id, name] as const)]));
  }
}
