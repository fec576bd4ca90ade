import { type FrameAnswer, MAX_FRAME_BYTES, type ServerFrame } from '@gwanje/contracts';
import { Tracing } from '@gwanje/tracing';
import { Injectable, Logger } from '@nestjs/common';
import { Histogram } from 'prom-client';
import { AuditService } from '../audit/audit.service';
import { AgentKeys, type AgentPrincipal } from '../core/access/access';
import { InvalidInput, PayloadTooLarge, Unauthorized } from '../core/errors/errors';
import { describe, problemDocument, refusalOf } from '../core/errors/problem';
import { inspect } from '../core/http/request-hygiene';
import { DtoPipe } from '../core/http/validation';
import { AgentFrameDto } from './agent-frames.dto';
import { OutputDto, ResultDto, SessionDto, StartDto } from './commands.dto';
import { AgentSessions } from './agent-sessions';
import { CommandsService } from './commands.service';
import { OutputService } from './output.service';

const seconds = new Histogram({
  name: 'gwanje_ws_frame_duration_seconds',
  help: 'Time from an agent\'s frame on a WebSocket to its answer, by event and status',
  labelNames: ['event', 'status'],
  buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
});

/** Answers what agents say over a WebSocket exactly as the routes of AgentCommandsController do: same checks, same services, same problems. */
@Injectable()
export class AgentFrames {
  private readonly log = new Logger('Frames');
  private readonly pipe = new DtoPipe();

  constructor(
    private readonly sessions: AgentSessions,
    private readonly commands: CommandsService,
    private readonly output: OutputService,
    private readonly keys: AgentKeys,
    private readonly audit: AuditService,
    private readonly tracing: Tracing,
  ) {}

  /** `said` is the parsed JSON of one frame of `bytes` bytes, undefined when it was none. Never rejects: a fault is an answer too. */
  async answer(said: unknown, bytes: number, by: AgentPrincipal): Promise<ServerFrame> {
    const ref = refOf(said);
    const origin = { ...by.origin, requestId: ref === undefined ? by.origin.requestId : `${by.origin.requestId}.${ref}` };
    const agent: AgentPrincipal = { ...by, origin };
    let frame: AgentFrameDto;
    try {
      frame = await this.read(said);
    } catch (error) {
      return { event: 'error', ...(ref !== undefined && { ref }), data: problemDocument(describe(error), origin.requestId) };
    }
    const measured = seconds.startTimer({ event: frame.event });
    const data = await this.traced(frame, agent, (traced) => this.call(frame, bytes, traced).catch((error: unknown) => this.refuse(error, frame, agent)));
    measured({ status: data.status });
    return { event: 'answer', ref: frame.ref, data };
  }

  /** The same span as that of the route, but for its name. */
  private async traced({ event, traceparent }: AgentFrameDto, agent: AgentPrincipal, work: (agent: AgentPrincipal) => Promise<FrameAnswer>): Promise<FrameAnswer> {
    if (traceparent === undefined || !this.tracing.isOn) return work(agent);
    const span = this.tracing.follow({ name: `WS ${event}`, kind: 'server', parent: traceparent, attributes: { 'network.protocol.name': 'websocket' } });
    const answer = await work({ ...agent, origin: { ...agent.origin, traceparent: span.traceparent } });
    span.set({ 'http.response.status_code': answer.status });
    if (answer.status >= 500) span.fail(String(answer.status));
    span.end();
    return answer;
  }

  private async read(said: unknown): Promise<AgentFrameDto> {
    if (said === undefined) throw new InvalidInput([{ path: '', message: 'a frame must be a JSON object, sent as text' }]);
    if (!isObject(said)) throw new InvalidInput([{ path: '', message: 'a frame must be a JSON object' }]);
    // `data` is looked at when it is known whose call it is.
    const { data, ...around } = said;
    inspect(around);
    const frame = await this.held({ ...around, data: isObject(data) ? {} : null }, AgentFrameDto);
    return isObject(data) ? { ...frame, data } : frame;
  }

  /**
   * The key is looked at with every frame, as with every request: a revoked one says nothing more, whether or not the news has come.
   * Starts and results look at it in their own transaction.
   */
  private async call(frame: AgentFrameDto, bytes: number, agent: AgentPrincipal): Promise<FrameAnswer> {
    if (bytes > MAX_FRAME_BYTES) throw new PayloadTooLarge(MAX_FRAME_BYTES);
    const checkedLater = frame.event === 'start' || frame.event === 'result';
    if (!checkedLater && (await this.keys.hasEnded(agent.keyId))) throw new Unauthorized('The client key is not valid');
    inspect(frame.data);
    return { status: 200, body: await this.act(frame, agent) };
  }

  private async act({ event, data }: AgentFrameDto, agent: AgentPrincipal): Promise<object> {
    if (event === 'session') return this.sessions.open(await this.held(data, SessionDto), agent);
    const { id, ...body } = data;
    if (typeof id !== 'string') throw new InvalidInput([{ path: 'id', message: 'must be the id of a command' }]);
    if (event === 'start') await this.commands.start(id, (await this.held(body, StartDto)).attempt, agent);
    if (event === 'output') await this.output.append(id, await this.held(body, OutputDto), agent);
    if (event === 'result') await this.commands.report(id, await this.held(body, ResultDto), agent);
    return {};
  }

  private async refuse(error: unknown, { event }: AgentFrameDto, agent: AgentPrincipal): Promise<FrameAnswer> {
    const problem = describe(error);
    const { requestId } = agent.origin;
    if (problem.status === 500) this.log.error({ requestId, err: error }, 'unexpected error');
    const refusal = refusalOf(error, problem, agent, `WS ${event}`);
    if (refusal) {
      await this.audit.refused(refusal).catch((fault: Error) => this.log.error(`a refused attempt was not recorded: ${fault.message}`));
    }
    return { status: problem.status, body: problemDocument(problem, requestId) };
  }

  private held<T extends object>(value: object, dto: new () => T): Promise<T> {
    return this.pipe.transform(value, { type: 'body', metatype: dto }) as Promise<T>;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refOf(said: unknown): number | undefined {
  const ref = (said as { ref?: unknown } | null | undefined)?.ref;
  return typeof ref === 'number' && Number.isSafeInteger(ref) && ref >= 0 ? ref : undefined;
}
