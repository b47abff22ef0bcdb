// Lint holds the architecture: which room may import which (see docs/architecture.md), and no circles.
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const inside = (room, allowed) => ({
  target: `./src/${room}`,
  from: './src',
  except: [room, ...allowed].map((path) => `./${path}`),
  message: `src/${room} may import only ${[room, ...allowed].join(', ')}.`,
});

const arrows = [
  inside('shared', []),
  inside('extension', ['shared']),
  inside('webview', ['shared']),
  inside('cli', ['engine', 'shared']),
  inside('worker', ['engine', 'shared']),
  inside('engine/onnx', ['shared']),
  inside('engine/runtime', ['engine/onnx', 'shared']),
  inside('engine/dataset', ['engine/runtime', 'engine/onnx', 'shared']),
  inside('engine/checkpoint', ['engine/runtime', 'engine/onnx', 'shared']),
  inside('engine/run', ['shared']),
  inside('engine/report', ['engine/run', 'shared']),
  inside('engine/discovery', ['engine/checkpoint', 'engine/dataset', 'engine/runtime', 'engine/onnx', 'engine/run', 'engine/report', 'shared']),
];

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'node_modules/', '**/*.js', '**/*.mjs', '!eslint.config.js'] },
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts'],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones: arrows }],
      'import-x/no-cycle': 'error',
      'import-x/order': ['error', { groups: [['builtin', 'external'], ['parent', 'sibling']], alphabetize: { order: 'asc' } }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // Indexing typed arrays and columns of equal length is the daily bread of numeric code.
      '@typescript-eslint/no-non-null-assertion': 'off',
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
    },
  },
  { files: ['src/shared/**', 'src/webview/**'], rules: { 'no-restricted-imports': ['error', { patterns: ['node:*', 'vscode'] }] } },
  { files: ['src/engine/**', 'src/cli/**'], rules: { 'no-restricted-imports': ['error', { paths: ['vscode'] }] } },
  { files: ['test/**', 'scripts/**'], rules: { 'no-console': 'off' } },
);
