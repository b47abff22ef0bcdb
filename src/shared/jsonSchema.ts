import { z } from 'zod';
import { comparisonSchema } from './comparison';
import { configSchema } from './config';
import { findingsSchema } from './findings';

/** The part of JSON schema (draft 7) that zod writes for this project's schemas. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** JSON schema of what a person writes in ravl.yaml: keys with a default are optional. */
export function configJsonSchema(): JsonSchema {
  return (configJson ??= draft7(configSchema, 'RaVL configuration (ravl.yaml)', 'input'));
}

/** Made on first use, and once: an editor asks for it at every keystroke. */
let configJson: JsonSchema | undefined;

/** JSON schema of findings.json. */
export function findingsJsonSchema(): JsonSchema {
  return draft7(findingsSchema, 'RaVL findings (findings.json)', 'output');
}

/** JSON schema of comparison.json. */
export function comparisonJsonSchema(): JsonSchema {
  return draft7(comparisonSchema, 'RaVL comparison (comparison.json)', 'output');
}

/** The alternatives a value may follow; one for an ordinary schema. */
export function branches(schema: JsonSchema): readonly JsonSchema[] {
  const options = schema.anyOf ?? schema.oneOf;
  return options ? options.flatMap(branches) : [schema];
}

/**
 * The keys that a mapping at `path` of the value `root` may hold, in the schema's order. Of alternatives told apart by a
 * constant (`kind: grid`), only the one the value chose counts.
 */
export function knownKeys(schema: JsonSchema, root: unknown, path: readonly PropertyKey[]): string[] {
  let nodes = chosen(schema, root);
  let value = root;
  for (const key of path) {
    value = child(value, key);
    nodes = nodes.flatMap((node) => {
      const next = typeof key === 'number' ? node.items : node.properties?.[String(key)];
      return next && !Array.isArray(next) ? chosen(next as JsonSchema, value) : [];
    });
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function chosen(schema: JsonSchema, value: unknown): readonly JsonSchema[] {
  const all = branches(schema);
  const agreeing = all.filter((branch) =>
    Object.entries(branch.properties ?? {}).every(([key, property]) => property.const === undefined || property.const === child(value, key)),
  );
  return agreeing.length > 0 ? agreeing : all;
}

function child(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}

function draft7(schema: z.ZodType, title: string, io: 'input' | 'output'): JsonSchema {
  const json = z.toJSONSchema(schema, { target: 'draft-7', io, override: ({ jsonSchema }) => dropIntegerLimits(jsonSchema) });
  const { $schema, ...rest } = json as JsonSchema;
  return { $schema, title, ...rest };
}

/** zod bounds every integer by what a double can hold exactly; to a reader that is noise. */
function dropIntegerLimits(schema: { minimum?: number; maximum?: number }): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}
