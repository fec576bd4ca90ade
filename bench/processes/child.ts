import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What a child process can be asked for, by name. */
export type Methods = Record<string, (argument: never) => unknown>;

interface Question {
  number: number;
  method: string;
  argument: unknown;
}
interface Answer {
  number: number;
  value?: unknown;
  error?: string;
}

/** A process of the benchmark, and its questions and answers over the channel of `fork`. */
export class Child<M extends Methods> {
  private readonly waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  private questions = 0;
  private readonly process: ChildProcess;

  constructor(
    private readonly name: string,
    file: string,
  ) {
    // The loader goes along: the programs of the benchmark are run from source. They are not what is measured: memory for fewer collections.
    this.process = fork(file, {
      execArgv: ['--import', 'tsx', '--max-old-space-size=4096', '--max-semi-space-size=64'],
      serialization: 'advanced',
    });
    this.process.on('message', ({ number, value, error }: Answer) => {
      const asker = this.waiting.get(number);
      this.waiting.delete(number);
      if (error === undefined) asker?.resolve(value as never);
      else asker?.reject(new Error(`${this.name}: ${error}`));
    });
    this.process.once('exit', (code, signal) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`${this.name} ended (${code ?? signal})`));
      this.waiting.clear();
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  call<K extends keyof M & string>(method: K, argument: Parameters<M[K]>[0]): Promise<Awaited<ReturnType<M[K]>>> {
    const number = ++this.questions;
    return new Promise((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      this.process.send({ number, method, argument } satisfies Question, (error) => error && reject(error));
    });
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, 'exit');
    this.kill();
    await gone;
  }
}

/** The other side: answers what the parent asks, and ends with it. */
export function answer<M extends Methods>(methods: M): void {
  process.on('message', ({ number, method, argument }: Question) => {
    void (async () => {
      try {
        const value: unknown = await methods[method]?.(argument as never);
        process.send?.({ number, value } satisfies Answer);
      } catch (error) {
        process.send?.({ number, error: (error as Error).message } satisfies Answer);
      }
    })();
  });
  process.on('disconnect', () => process.exit());
}
