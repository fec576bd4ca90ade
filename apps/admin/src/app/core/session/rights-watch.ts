import { inject, Injectable } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { EventStream } from '../events/event-stream';
import { Session } from './session';

/**
 * Keeps what the console believes of the person's rights true: the stream says when they change while it is open, and whenever it opens they
 * are read again, for what changed while there was none.
 */
@Injectable({ providedIn: 'root' })
export class RightsWatch {
  constructor() {
    const session = inject(Session);
    inject(EventStream)
      .opened.pipe(takeUntilDestroyed())
      .subscribe(() => void session.readAgain());
  }
}
