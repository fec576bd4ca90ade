import { Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { ForAgents } from '../core/access/access';

/** For agents that have nothing else to say: the guard hears them, as it hears whatever an agent says. */
@Controller('api/agents')
export class AliveController {
  @ForAgents({ harmless: true })
  @Post('alive')
  @HttpCode(204)
  @ApiOperation({ summary: 'Sign of life of an agent', description: 'Keeps the promise `aliveEveryMs` of its event stream, as any other call of the agent does.' })
  alive(): void {
    // Nothing is left to do.
  }
}
