// Lint holds the architecture: which room may import which (see docs/architecture.md). That there are no circles
// inside a room is checked by test/unit/architecture.test.ts.
import tseslint from 'typescript-eslint';

/** Rooms inside src/engine, each with the neighbours it may import; every one of them may import src/shared. */
const engine = {
  onnx: [],
  autodiff: ['onnx'],
  runtime: ['onnx'],
  dataset: ['runtime', 'onnx'],
  checkpoint: ['runtime', 'onnx'],
  slurm: [],
  run: ['slurm'],
  launcher: ['slurm', 'run'],
  report: ['run'],
  discovery: ['checkpoint', 'dataset', 'runtime', 'onnx', 'run', 'launcher', 'report'],
  training: ['discovery', 'autodiff', 'checkpoint', 'dataset', 'runtime', 'onnx', 'run'],
  evaluation: ['discovery', 'checkpoint', 'dataset', 'runtime', 'onnx', 'run', 'report'],
  mitigation: ['training', 'evaluation', 'discovery', 'checkpoint', 'dataset', 'runtime', 'onnx', 'run', 'report'],
  viewer: ['training', 'evaluation', 'discovery', 'checkpoint', 'dataset', 'runtime', 'onnx', 'run', 'report'],
  benchmark: ['mitigation', 'training', 'autodiff', 'evaluation', 'discovery', 'checkpoint', 'dataset', 'runtime', 'onnx', 'run', 'launcher', 'report'],
};

/**
 * Relative imports out of a folder (`up`: out of the room that the folder is in) that do not start with one of `allowed`, and
 * packages that the room may not know.
 */
const outside = (folder, allowed, packages = ['vscode'], up = '../') => ({
  files: [`src/${folder}/**`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        paths: packages.filter((name) => !name.endsWith('*')),
        patterns: [
          {
            regex: `^${up.replaceAll('.', '\\.')}(?!${allowed.map((path) => path.replaceAll('.', '\\.')).join('|')})`,
            message: `src/${folder} may import only ${allowed.join(', ')} and itself.`,
          },
          ...packages.filter((name) => name.endsWith('*')).map((group) => ({ group: [group] })),
        ],
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'node_modules/', '**/*.js', '**/*.mjs', '**/*.cjs', '!eslint.config.js'] },
  ...tseslint.configs.strict,
  {
    files: ['**/*.{ts,tsx}'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      // Indexing typed arrays and columns of equal length is the daily bread of numeric code.
      '@typescript-eslint/no-non-null-assertion': 'off',
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
    },
  },
  outside('shared', ['$^'], ['vscode', 'node:*']),
  outside('extension', ['shared/'], []),
  outside('extension/*', ['shared/'], [], '../../'),
  outside('webview', ['shared/'], ['vscode', 'node:*']),
  outside('webview/*', ['shared/'], ['vscode', 'node:*'], '../../'),
  outside('worker', ['engine/', 'shared/', '../package.json']),
  outside('cli', ['engine/', 'shared/', '../package.json']),
  ...Object.entries(engine).map(([room, neighbours]) =>
    outside(`engine/${room}`, ['../shared/', '../../package.json', ...neighbours.map((name) => `${name}/`)]),
  ),
  outside('engine/benchmark/*', ['../shared/', ...engine.benchmark.map((name) => `${name}/`)], ['vscode'], '../../'),
  outside('engine/runtime/tensorflow', ['../../shared/', '../onnx/', 'errors$', 'session$']),
  { files: ['test/**', 'scripts/**'], rules: { 'no-console': 'off' } },
);
