import { AGENT_EVENTS, type AgentEvent, type AgentFrame } from '@gwanje/contracts';
import { IsIn, IsInt, IsObject, IsOptional, IsString, Max, Min } from 'class-validator';
import { AcceptedBy } from '../core/http/validation';

@AcceptedBy({
  required: ['event', 'ref', 'data'],
  properties: {
    event: { enum: AGENT_EVENTS },
    ref: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    data: { type: 'object' },
    traceparent: { type: 'string' },
  },
})
export class AgentFrameDto implements AgentFrame {
  @IsIn(AGENT_EVENTS)
  event: AgentEvent;

  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  ref: number;

  @IsObject()
  data: Record<string, unknown>;

  /** What is none is as good as none, as in the header of the same name. */
  @IsOptional()
  @IsString()
  traceparent?: string;
}
