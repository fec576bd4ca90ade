import type { Readable } from 'node:stream';
import { killTree, spawnMarked, type SpawnOptions } from '../runner/process-tree';
import { messageOf, wait } from '../waiting';
import type { HandlerContext } from './handler';

export interface ProgramEnd {
  exitCode: number | null;
  signal: string | null;
  /** Only when it was killed on behalf of the command: whether nothing of its process tree is left. */
  killed?: boolean;
  /** The last 64 KiB. */
  stdout: string;
  stderr: string;
}

interface RunOptions extends SpawnOptions {
  /** Also to the command's live output. */
  live?: boolean;
}

const TAIL_BYTES = 65_536;
const DRAIN_MS = 2_000;

/** Rejects when the program cannot be started; kills its whole tree when the context's signal fires. */
export async function runProgram(
  context: HandlerContext,
  file: string,
  args: string[],
  options: RunOptions = {},
): Promise<ProgramEnd> {
  context.signal.throwIfAborted();
  const child = spawnMarked(context.frame.id, file, args, options);
  let killing: Promise<boolean> | undefined;
  const kill = (): void => {
    killing ??= killTree(context.frame.id, child.pid);
  };
  context.signal.addEventListener('abort', kill, { once: true });
  const tails = { stdout: new Tail(), stderr: new Tail() };
  const news = { at: performance.now(), writing: 0 };
  const read = async (name: 'stdout' | 'stderr', stream: Readable | null): Promise<void> => {
    for await (const bytes of (stream ?? []) as AsyncIterable<Buffer>) {
      tails[name].add(bytes);
      news.writing++;
      if (options.live) await context.output.write(name, bytes);
      news.writing--;
      news.at = performance.now();
    }
  };
  const reading = Promise.allSettled([read('stdout', child.stdout), read('stderr', child.stderr)]);
  try {
    const [exitCode, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, name) => resolve([code, name]));
    });
    const killed = await killing;
    // A service that the program left behind may hold its pipes open for ever.
    await Promise.race([reading, quiet(news, context.signal)]);
    const end = { exitCode, signal, stdout: tails.stdout.text(), stderr: tails.stderr.text() };
    return killed === undefined ? end : { ...end, killed };
  } catch (error) {
    const place = options.cwd ? ` in ${options.cwd}` : '';
    throw new Error(`cannot start ${file}${place}: ${messageOf(error)}`);
  } finally {
    context.signal.removeEventListener('abort', kill);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

/** Time that a slow server takes for the output does not count as silence. */
async function quiet(news: { at: number; writing: number }, signal: AbortSignal): Promise<void> {
  const from = performance.now();
  while (!signal.aborted && (news.writing > 0 || performance.now() - Math.max(from, news.at) < DRAIN_MS)) {
    await wait(50, signal).catch(() => undefined);
  }
}

/** Owns the end of one stream; it must never keep more than twice its limit. */
class Tail {
  private bytes = Buffer.alloc(0);

  add(more: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, more]);
    if (this.bytes.length > 2 * TAIL_BYTES) this.bytes = Buffer.from(this.bytes.subarray(-TAIL_BYTES));
  }

  text(): string {
    return this.bytes.subarray(-TAIL_BYTES).toString('utf8').replaceAll('\0', '\uFFFD');
  }
}
