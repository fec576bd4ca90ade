import { Socket } from 'node:net';
import { OpenSockets } from './open-sockets';
import { UNANSWERED } from './steady-client';

const QUERY_MS = 1_000;

describe('OpenSockets', () => {
  let now: number;
  let sockets: OpenSockets;
  beforeEach(() => {
    now = 0;
    jest.useFakeTimers({ doNotFake: ['performance'] });
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    sockets = new OpenSockets();
  });
  afterEach(() => {
    sockets.onModuleDestroy();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const open = (): { socket: Socket; hear: () => void } => {
    let bytesRead = 0;
    const socket = new Socket().on('error', () => undefined);
    Object.defineProperty(socket, 'bytesRead', { get: () => bytesRead });
    return { socket: sockets.add(socket, QUERY_MS), hear: () => (bytesRead += 1) };
  };
  const look = (at: number): void => {
    now = at;
    jest.advanceTimersToNextTimer();
  };
  const giveUp = ({ socket }: { socket: Socket }, at: number): void => {
    now = at;
    socket.emit('error', new Error(UNANSWERED));
  };

  it('cuts with a connection that gives no answer those that are silent since it was asked, and no other', () => {
    const [asked, silent, heard] = [open(), open(), open()];
    look(250);
    look(500);
    look(750);
    heard.hear();
    look(1_000);
    giveUp(asked, 1_000);
    expect([silent.socket.destroyed, heard.socket.destroyed]).toEqual([true, false]);
  });

  it('cuts what was heard just before it, also when the look that finds it comes late', () => {
    const [asked, silent] = [open(), open()];
    look(250);
    silent.hear();
    // It was asked now, and the process is busy for a while.
    look(900);
    giveUp(asked, 251 + QUERY_MS);
    expect(silent.socket.destroyed).toBe(true);
  });
});
