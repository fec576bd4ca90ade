import { DOCUMENT, inject, Injectable } from '@angular/core';

const PREFIX = 'gwanje.';

/** Small choices kept in this browser; never a secret. A browser that forbids storage forgets them, and nothing breaks. */
@Injectable({ providedIn: 'root' })
export class Preferences {
  private readonly window = inject(DOCUMENT).defaultView;

  read(name: string): string | null {
    try {
      return this.window?.localStorage.getItem(PREFIX + name) ?? null;
    } catch {
      return null;
    }
  }

  write(name: string, value: string | null): void {
    try {
      if (value === null) this.window?.localStorage.removeItem(PREFIX + name);
      else this.window?.localStorage.setItem(PREFIX + name, value);
    } catch {
      // Storage is forbidden or full.
    }
  }

  /** Calls the listener when another tab removes the value. */
  onRemoved(name: string, listener: () => void): void {
    this.window?.addEventListener('storage', (event) => {
      if (event.key === PREFIX + name && event.newValue === null) listener();
    });
  }
}
