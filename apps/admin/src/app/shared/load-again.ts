import { inject, type Signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { EventStream } from '../core/events/event-stream';
import type { Problem } from '../core/http/problem';

/**
 * For a page that hears no news: what could not be read is read again when the event stream opens, because then the server is back.
 * A page that shows something is left alone. To be called where things are injected.
 */
export function loadAgainWhenBack(problem: Signal<Problem | null>, load: () => unknown): void {
  inject(EventStream)
    .opened.pipe(takeUntilDestroyed())
    .subscribe(() => {
      if (problem()) load();
    });
}
