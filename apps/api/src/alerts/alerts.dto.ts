import { ALERT_DELIVERY_STATES, ALERT_KINDS, type AlertCondition, type AlertDeliveryState, type AlertKind } from '@gwanje/contracts';
import { OmitType, PartialType } from '@nestjs/swagger';
import { type TypeHelpOptions, Type } from 'class-transformer';
import {
  ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray, IsBoolean, IsDefined, IsEmail, IsIn, IsInt, IsNumber, IsObject, IsOptional, IsString, IsUUID, Matches, Max,
  MaxLength, Min, MinLength, ValidateIf, ValidateNested,
} from 'class-validator';
import { PageDto } from '../core/http/page.dto';
import { Tidy } from '../core/http/tidy';

/** It goes into the subject of mails: nothing that would end a line. */
const NAME: [RegExp, { message: string }] = [
  /^[\p{L}\p{N}][\p{L}\p{M}\p{N} .,:()%/_+-]{0,99}$/u,
  { message: 'name must be letters, digits, spaces and . , : ( ) % / _ + -, at most 100' },
];
/** A week. */
const MOST_MINUTES = 10_080;

class ConditionDto {
  @IsIn(ALERT_KINDS)
  kind: AlertKind;

  /** Only clients of this group. */
  @Tidy()
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  group?: string;

  /** Only clients that have all of these labels. */
  @IsOptional()
  @IsObject()
  labels?: Record<string, string>;

  /** Only this client: its id or name. */
  @Tidy()
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  clientId?: string;
}

class ClientOfflineDto extends ConditionDto {
  @IsInt()
  @Min(1)
  @Max(MOST_MINUTES)
  minutes: number;
}

class CommandFailedDto extends ConditionDto {
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  action?: string;
}

class BacklogDto extends ConditionDto {
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  over: number;
}

class ErrorRateDto extends CommandFailedDto {
  @IsNumber({ maxDecimalPlaces: 2 })
  @Min(0)
  @Max(99.99)
  percent: number;

  @IsInt()
  @Min(1)
  @Max(MOST_MINUTES)
  minutes: number;

  @IsInt()
  @Min(1)
  @Max(1_000_000)
  atLeast: number;
}

const CONDITIONS: Record<AlertKind, typeof ConditionDto> = {
  client_offline: ClientOfflineDto, command_failed: CommandFailedDto, backlog: BacklogDto, error_rate: ErrorRateDto,
};
const typeOf = (help?: TypeHelpOptions): typeof ConditionDto => {
  const { kind } = ((help?.object as { condition?: unknown } | undefined)?.condition ?? {}) as { kind?: unknown };
  return typeof kind === 'string' && Object.hasOwn(CONDITIONS, kind) ? CONDITIONS[kind as AlertKind] : ConditionDto;
};

export class CreateRuleDto {
  @Tidy()
  @Matches(...NAME)
  name: string;

  @IsOptional()
  @IsBoolean()
  enabled?: boolean;

  /** By its `kind`: `client_offline` has `minutes`; `command_failed` `action?`; `backlog` `over`; `error_rate` `percent`, `minutes`, `atLeast` and `action?`. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(typeOf)
  condition: AlertCondition;

  /** Ids of the channels that are told. */
  @IsArray()
  @ArrayMaxSize(20)
  @ArrayUnique()
  @IsUUID(undefined, { each: true })
  channels: string[];
}

export class UpdateRuleDto extends PartialType(CreateRuleDto) {}

export class CreateChannelDto {
  @Tidy()
  @Matches(...NAME)
  name: string;

  @IsIn(['webhook', 'email'])
  kind: 'webhook' | 'email';

  /** Of a webhook: https, without user and password. */
  @ValidateIf(({ kind, url }: CreateChannelDto) => kind === 'webhook' || url !== undefined)
  @IsString()
  @MaxLength(2_000)
  url?: string;

  /** Of an e-mail channel: everybody who gets its mails; they see each other's addresses. */
  @Tidy()
  @ValidateIf(({ kind, addresses }: CreateChannelDto) => kind === 'email' || addresses !== undefined)
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(20)
  @ArrayUnique()
  @IsEmail({ require_tld: false }, { each: true })
  addresses?: string[];
}

export class UpdateChannelDto extends PartialType(OmitType(CreateChannelDto, ['kind'])) {}

export class ListAlertsDto extends PageDto {
  /** Those that go on, or those that are over; both by default. */
  @IsOptional()
  @IsIn(['open', 'resolved'])
  state?: 'open' | 'resolved';

  @IsOptional()
  @IsUUID()
  ruleId?: string;

  /** Those that this delivery tells of. */
  @IsOptional()
  @IsUUID()
  deliveryId?: string;
}

export class ListDeliveriesDto extends PageDto {
  @IsOptional()
  @IsIn(ALERT_DELIVERY_STATES)
  state?: AlertDeliveryState;

  @IsOptional()
  @IsUUID()
  channelId?: string;

  @IsOptional()
  @IsUUID()
  alertId?: string;
}
