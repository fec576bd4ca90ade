/** Carries what one process says to all processes, itself included. Whatever it carries may be lost, and nobody waits for it. */
export abstract class NewsTransport {
  /** Which part of the installation it is, and whether it is connected to it. */
  abstract readonly part: 'redis' | 'rabbitmq';
  abstract readonly connected: boolean;
  /** Milliseconds since which it brings what others publish; 0 while it does not. */
  abstract readonly listeningForMs: number;
  /** Resolves when it was handed over, and rejects while nobody could take it. */
  abstract publish(message: string): Promise<void>;
  /** Once, before anything is published. */
  abstract listen(listener: (message: string) => void): void;
  abstract close(): Promise<void> | void;
}
