/** `next` of an address, if it is a path of the console itself and not the log-in page; else the start page. */
export function ownPath(next: string | undefined): string {
  return next !== undefined && /^\/(?![/\\])/.test(next) && !next.startsWith('/login') ? next : '/';
}
