import { DOCUMENT, inject } from '@angular/core';
import type { NavigationError } from '@angular/router';
import { Preferences } from './preferences';

const LAST = 'new-version-at';
/** A part that is missing again so soon after a reload is not a matter of versions. */
const AGAIN_MS = 60_000;

/** The server has been updated since this page was loaded, and a part of the old console is gone: load the new one there. */
export function loadNewVersion({ error, url }: NavigationError): void {
  if (!/dynamically imported module|importing a module script/i.test(String(error))) return;
  const preferences = inject(Preferences);
  if (Date.now() - Number(preferences.read(LAST) ?? 0) < AGAIN_MS) return;
  preferences.write(LAST, `${Date.now()}`);
  inject(DOCUMENT).location.assign(url);
}
