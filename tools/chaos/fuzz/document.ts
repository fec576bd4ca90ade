/** As much of a JSON Schema as the API document uses. */
export interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  format?: string;
  minimum?: number;
  minLength?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  allOf?: Schema[];
}

interface Operation {
  parameters?: { name: string; in: string; schema?: Schema }[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

export interface Route {
  method: string;
  /** With `{name}` for each parameter. */
  path: string;
  /** Names of the query's and the headers' parameters. */
  query: readonly string[];
  headers: readonly string[];
  /** The fields of the body that it takes, and one body that fits; null when it takes none. */
  body: { fields: readonly string[]; usual: unknown } | null;
}

/** Every route that the document has. */
export function routesOf(document: OpenApi): Route[] {
  const schemas = document.components?.schemas ?? {};
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [], requestBody }]): Route => {
      const named = (place: string): string[] => parameters.filter((one) => one.in === place).map(({ name }) => name);
      const schema = requestBody?.content?.['application/json']?.schema;
      return {
        method: method.toUpperCase(),
        path,
        query: named('query'),
        headers: named('header'),
        body: schema
          ? { fields: Object.keys(resolve(schema, schemas).properties ?? {}), usual: usual(schema, schemas) }
          : null,
      };
    }),
  );
}

function resolve(schema: Schema, schemas: Record<string, Schema>): Schema {
  const [first] = schema.allOf ?? [];
  if (first) return resolve(first, schemas);
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : (schemas[name] ?? {});
}

/** A value that the schema allows, with what it requires and nothing else. */
function usual(given: Schema, schemas: Record<string, Schema>): unknown {
  const schema = resolve(given, schemas);
  if (schema.enum) return schema.enum[0];
  if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 1;
  if (schema.type === 'boolean') return true;
  if (schema.type === 'array') return schema.items ? [usual(schema.items, schemas)] : [];
  if (schema.type === 'string') {
    if (schema.format === 'uuid') return '00000000-0000-7000-8000-000000000000';
    return schema.format === 'date-time' ? '2030-01-01T00:00:00Z' : 'x'.repeat(Math.max(1, schema.minLength ?? 1));
  }
  const properties = Object.entries(schema.properties ?? {});
  return Object.fromEntries(
    properties
      .filter(([name]) => schema.required?.includes(name))
      .map(([name, property]) => [name, usual(property, schemas)]),
  );
}
