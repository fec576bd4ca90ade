import { type ArgumentMetadata, Injectable, type Type, type ValidationError, ValidationPipe } from '@nestjs/common';
import { Ajv, type ValidateFunction } from 'ajv';
import { getMetadataStorage } from 'class-validator';
import { InvalidInput } from '../errors/errors';
import { inspect } from './request-hygiene';

const ajv = new Ajv({ strict: true });
const compiled = new WeakMap<object, ValidateFunction>();

/**
 * For the bodies that come thousands of times a second: what this JSON Schema of an object's properties accepts needs no closer look. It
 * must accept nothing that the decorators refuse or change; what it does not accept is held against them, and they say what is wrong.
 */
export const AcceptedBy =
  (schema: { properties: object; required: string[] }): ClassDecorator =>
  (dto) => {
    compiled.set(dto, ajv.compile({ type: 'object', additionalProperties: false, ...schema }));
  };

/** Holds every body and query against its DTO: unknown fields are faults, `null` stands for an absent field, faults name their path. */
@Injectable()
export class DtoPipe extends ValidationPipe {
  constructor() {
    super({
      whitelist: true,
      forbidNonWhitelisted: true,
      transform: true,
      exceptionFactory: (errors) => new InvalidInput(errors.flatMap((error) => faults(error))),
    });
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type === 'custom') return value;
    if (metadata.type === 'query') {
      inspect(value);
      refuseInherited(value);
    }
    const { metatype } = metadata;
    if (metatype && compiled.get(metatype)?.(value)) return Object.assign(new metatype() as object, value);
    if (metadata.type !== 'body') return super.transform(value, metadata);
    if (Array.isArray(value) || Buffer.isBuffer(value) || !['object', 'undefined'].includes(typeof value)) {
      throw new InvalidInput([{ path: '', message: 'the body must be a JSON object' }]);
    }
    refuseInherited(value);
    return super.transform(metatype ? withoutNulls(value, metatype) : value, metadata);
  }
}

/** `constructor`, `toString`: class-validator takes a name that every object inherits for a known one. */
function refuseInherited(value: unknown): void {
  const names = Object.keys(value ?? {}).filter((name) => name in Object.prototype);
  if (names.length > 0) throw new InvalidInput(names.map((path) => ({ path, message: `property ${path} should not exist` })));
}

/** What is not known stays, and is a fault. */
function withoutNulls(body: unknown, dto: Type): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const known = new Set(getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false).map(({ propertyName }) => propertyName));
  return Object.fromEntries(Object.entries(body).filter(([name, value]) => value !== null || !known.has(name)));
}

function faults(error: ValidationError, parent = ''): { path: string; message: string }[] {
  const path = !parent ? error.property : /^\d+$/.test(error.property) ? `${parent}[${error.property}]` : `${parent}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => ({ path, message }));
  return [...own, ...(error.children ?? []).flatMap((child) => faults(child, path))];
}
