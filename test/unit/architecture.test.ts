import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const source = join(import.meta.dirname, '../../src');

/** What every source file imports of the others; type imports count. */
function importGraph(): Map<string, string[]> {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));
  const known = new Set(files);
  return new Map(
    files.map((file) => {
      const imported = ts.preProcessFile(readFileSync(join(source, file), 'utf8')).importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
      const targets = imported.map(({ fileName }) => relative(source, join(source, dirname(file), fileName)));
      return [file, targets.flatMap((target) => [`${target}.ts`, `${target}.tsx`, `${target}/index.ts`].filter((name) => known.has(name)))];
    }),
  );
}

/** A circle of imports, or undefined. */
function circle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const found = visit(next, [...path, file]);
      if (found) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const found = visit(file, []);
    if (found) return found;
  }
  return undefined;
}

describe('imports', () => {
  it('are found', () => {
    expect(importGraph().get('engine/discovery/analyze.ts')).toContain('engine/checkpoint/textEmbeddings.ts');
    expect(circle(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]]))).toEqual(['b', 'c', 'b']);
  });

  it('form no circle', () => {
    expect(circle(importGraph())).toBeUndefined();
  });
});
