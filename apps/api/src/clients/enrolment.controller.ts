import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { type Anonymous, Caller, ForPeople, type Person, Public } from '../core/access/access';
import { type Page, PageDto } from '../core/http/page.dto';
import { CreateEnrolmentTokenDto, EnrolDto } from './enrolment.dto';
import { EnrolmentService, type EnrolmentTokenView } from './enrolment.service';

/** How machines join: a person makes a token, the machine trades it for a key of its own. */
@Controller('api')
export class EnrolmentController {
  constructor(private readonly enrolment: EnrolmentService) {}

  @ForPeople('clients.manage')
  @Post('enrolment-tokens')
  create(@Body() body: CreateEnrolmentTokenDto, @Caller() caller: Person): Promise<EnrolmentTokenView & { token: string }> {
    return this.enrolment.create(body, caller);
  }

  @ForPeople('clients.manage')
  @Get('enrolment-tokens')
  list(@Query() query: PageDto, @Caller() caller: Person): Promise<Page<EnrolmentTokenView>> {
    return this.enrolment.list(query, caller);
  }

  @ForPeople('clients.manage')
  @Delete('enrolment-tokens/:id')
  @HttpCode(204)
  revoke(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    return this.enrolment.revoke(id, caller);
  }

  @Public()
  @Post('enrol')
  enrol(@Body() body: EnrolDto, @Caller() caller: Anonymous): Promise<{ id: string; name: string; clientKey: string }> {
    return this.enrolment.enrol(body, caller);
  }
}
