import { type JsonSchema, branches, comparisonJsonSchema, configJsonSchema, findingsJsonSchema } from './jsonSchema';

/** One key of ravl.yaml, as documentation shows it. */
export interface ConfigKey {
  /** Dotted: `discovery.clusters.min`. */
  readonly path: string;
  /** What sets this key's alternatives apart, e.g. { key: 'regions.kind', values: ['sliding'] }. */
  readonly when?: { readonly key: string; readonly values: readonly string[] };
  readonly type: string;
  readonly required: boolean;
  readonly default?: unknown;
  readonly description: string;
}

/** Every key a person may write, in the schema's order; sections come before the keys inside them. */
export function configKeys(): ConfigKey[] {
  const keys: ConfigKey[] = [];
  for (const key of keysOf(configJsonSchema(), '', undefined)) {
    const last = keys.at(-1);
    // One key of several alternatives is one key.
    if (last?.path === key.path && last.when && key.when) keys[keys.length - 1] = { ...last, when: { key: last.when.key, values: [...last.when.values, ...key.when.values] } };
    else keys.push(key);
  }
  return keys;
}

/** The files made from the schemas, by path from the repository's root. `npm run generate` writes them. */
export function generatedFiles(): Record<string, string> {
  return {
    'schemas/ravl.schema.json': `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
    'schemas/findings.schema.json': `${JSON.stringify(findingsJsonSchema(), null, 2)}\n`,
    'schemas/comparison.schema.json': `${JSON.stringify(comparisonJsonSchema(), null, 2)}\n`,
    'docs/configuration.md': configurationPage(),
  };
}

/** A complete small config, used in the documentation. */
export const exampleConfig = `# What to look at.
checkpoint: checkpoints/fashion-clip      # a folder in the Hugging Face layout, or an .onnx file
data:
  validation: validation.csv              # images with their true label
  columns: { image: image, label: label } # which column holds what

# How the model is asked. {} is the class name; several prompts are averaged.
prompts:
  - a photo of a {}.
  - a product photo of a {}.

# Where a feature may hide: here, nine tiles an image.
regions: { kind: grid, rows: 3, cols: 3 }

# How sure a finding must be.
discovery:
  minSupport: 10
  alpha: 0.05

seed: 7
`;

function configurationPage(): string {
  return `<!-- Generated from src/shared/config.ts by npm run generate. Do not edit. -->

# Configuration: ravl.yaml

Paths are relative to the file. A key with a default may be left out; every default is the paper's where the paper states one
(Varma et al., NeurIPS 2024). An unknown key is an error. Options of \`ravl analyze\` win over the file.

## Example

\`\`\`yaml
${exampleConfig}\`\`\`

## Keys

${configKeyTable()}
In an editor, the same descriptions and checks come from \`schemas/ravl.schema.json\`; its first line may name it:
\`# yaml-language-server: $schema=<path to>/schemas/ravl.schema.json\`.
`;
}

/** Has the same keys as checkpoint.preprocessing, which the table lists. */
const repeated = 'regions.preprocessing';

function configKeyTable(): string {
  const keys = configKeys().filter(({ path }) => !path.startsWith(`${repeated}.`));
  const rows = keys.map((key) => {
    const preset = key.required ? 'required' : key.default === undefined || isMapping(key.default) ? '' : `\`${JSON.stringify(key.default)}\``;
    const when = key.when ? ` Only with \`${key.when.key}: ${key.when.values.join('` or `')}\`.` : '';
    const see = key.path === repeated ? ' Its keys are those of `checkpoint.preprocessing`.' : '';
    return [`\`${key.path}\``, key.type, preset, `${key.description}${see}${when}`.trim()].map((cell) => cell.replaceAll('|', '\\|')).join(' | ');
  });
  return `| Key | Type | Default | What it does |\n| --- | --- | --- | --- |\n${rows.map((row) => `| ${row} |\n`).join('')}`;
}

function keysOf(schema: JsonSchema, prefix: string, when: ConfigKey['when']): ConfigKey[] {
  const options = branches(schema);
  const discriminator = options.length > 1 ? Object.entries(options[0]!.properties ?? {}).find(([, property]) => property.const !== undefined)?.[0] : undefined;
  const keys = options.flatMap((option) => {
    const value = discriminator === undefined ? undefined : option.properties?.[discriminator]?.const;
    const inside = value === undefined ? when : { key: `${prefix}${discriminator}`, values: [String(value)] };
    return Object.entries(option.properties ?? {}).flatMap(([name, property]) =>
      name === discriminator ? [] : keysIn(property, `${prefix}${name}`, option.required?.includes(name) ?? false, inside),
    );
  });
  if (discriminator === undefined) return keys;
  const values = options.map((option) => option.properties?.[discriminator]);
  const description = values.find((value) => value?.description)?.description ?? '';
  const preset = isMapping(schema.default) ? (schema.default as Record<string, unknown>)[discriminator] : undefined;
  const type = values.map((value) => `\`${String(value?.const)}\``).join(', ');
  return [{ path: `${prefix}${discriminator}`, ...(when ? { when } : {}), type, required: preset === undefined, default: preset, description }, ...keys];
}

function keysIn(schema: JsonSchema, path: string, required: boolean, when: ConfigKey['when']): ConfigKey[] {
  const key: ConfigKey = {
    path,
    ...(when ? { when } : {}),
    type: typeOf(schema),
    required,
    ...(schema.default === undefined ? {} : { default: schema.default }),
    description: schema.description ?? '',
  };
  return [key, ...keysOf(schema, `${path}.`, when)];
}

/** The type in words, with its limits: `whole number, 1 to 64`. */
function typeOf(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  const options = branches(schema);
  if (options.length > 1) return [...new Set(options.map(typeOf))].join(' or ');
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'integer':
      return `whole number${limits(schema)}`;
    case 'number':
      return `number${limits(schema)}`;
    case 'boolean':
      return '`true`, `false`';
    case 'array':
      return Array.isArray(schema.items) || !schema.items ? 'list' : `list of ${typeOf(schema.items as JsonSchema).replace(/number\b/, 'numbers')}`;
    case 'object':
      return 'mapping';
    default:
      return schema.type ?? '';
  }
}

function limits({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const low = minimum !== undefined ? `at least ${minimum}` : exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : '';
  const high = maximum !== undefined ? `at most ${maximum}` : exclusiveMaximum !== undefined ? `below ${exclusiveMaximum}` : '';
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum}`;
  return low || high ? `, ${[low, high].filter(Boolean).join(', ')}` : '';
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
