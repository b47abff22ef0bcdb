import { Ajv } from 'ajv';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Contributions {
  readonly contributes: { readonly yamlValidation: readonly { readonly fileMatch: readonly string[]; readonly url: string }[] };
}

/** The schema that package.json hands to the YAML extension, judged by a validator that is not RaVL's. */
describe('the schema for the YAML extension', () => {
  const { contributes } = JSON.parse(readFileSync('package.json', 'utf8')) as Contributions;
  const validate = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(readFileSync(contributes.yamlValidation[0]!.url, 'utf8')) as object);
  const sample = readFileSync('media/sample/ravl.yaml', 'utf8');

  it('is for every file that RaVL takes for a config', () => {
    expect(contributes.yamlValidation[0]!.fileMatch).toEqual(['ravl.yaml', '*.ravl.yaml']);
  });

  it('accepts the sample', () => {
    validate(parse(sample));
    expect(validate.errors).toBeNull();
  });

  it.each([
    ['discovery:', 'discvery:', '', 'must NOT have additional properties'],
    ['kind: grid', 'kind: gird', '/regions', 'must be equal to constant'],
    ['learningRate: 0.0005', 'learningRate: fast', '/training/learningRate', 'must be number'],
    ['  validation: validation.csv\n', '', '/data', "must have required property 'validation'"],
  ])('flags %j as %j', (right, wrong, where, message) => {
    expect(sample).toContain(right);
    expect(validate(parse(sample.replace(right, wrong)))).toBe(false);
    expect(validate.errors!.some((error) => error.instancePath.startsWith(where) && error.message === message)).toBe(true);
  });
});
