const LOOK_EVERY_MS = 200;

/**
 * Calls `gone` once npm has ended without a word, for example killed. Started by a shell or a service manager instead, this program may
 * outlive its parent. The scripts in package.json begin with `exec`, so that npm is the parent and its signals arrive: the shell between
 * would keep a SIGINT to itself. Where there is no `exec` (Windows), their second half runs.
 */
export function watchNpm(gone: () => void): void {
  if (!process.env['npm_lifecycle_event']) return;
  const npm = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(timer);
    gone();
  }, LOOK_EVERY_MS).unref();
}
