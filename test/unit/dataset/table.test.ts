import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTable, tableColumns, type TableColumns } from '../../../src/engine/dataset/table';
import { RavlError } from '../../../src/shared/errors';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-tables-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
}

async function read(name: string, content: string | Uint8Array, columns: TableColumns = { image: 'image', label: 'label' }) {
  return loadTable(await write(name, content), columns);
}

async function refusal(name: string, content: string | Uint8Array, columns?: TableColumns): Promise<RavlError> {
  const error: unknown = await read(name, content, columns).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RavlError);
  expect((error as RavlError).message).toContain(name);
  expect((error as RavlError).message).not.toMatch(/\n| at /);
  return error as RavlError;
}

describe('CSV and TSV', () => {
  it('reads a table that Excel wrote: byte order mark, CRLF, quoted separators and line breaks', async () => {
    const table = await read('excel.csv', '\uFEFFimage,label,caption\r\na.jpg,shoes,"red, ""old""\r\nshoes"\r\nsub/b c.jpg,bags,plain\r\n\r\n', {
      image: 'image',
      label: 'label',
      caption: 'caption',
    });
    expect(table).toMatchObject({
      source: join(folder, 'excel.csv'),
      format: 'csv',
      columnNames: ['image', 'label', 'caption'],
      images: ['a.jpg', 'sub/b c.jpg'],
      files: [join(folder, 'a.jpg'), join(folder, 'sub/b c.jpg')],
      labels: ['shoes', 'bags'],
      captions: ['red, "old"\r\nshoes', 'plain'],
    });
    // The second row begins on line 4, because the first one's caption holds a line break.
    expect(Array.from(table.rowNumbers)).toEqual([2, 4]);
  });

  it('keeps absolute paths, quotes inside cells, and trims labels', async () => {
    const table = await read('t.tsv', 'label\timage\n shoes \t/data/5" heel.jpg\n');
    expect(table.files).toEqual(['/data/5" heel.jpg']);
    expect(table.labels).toEqual(['shoes']);
    expect(table.captions).toBeUndefined();
  });

  it('names the columns there are, and the nearest, when one is missing', async () => {
    const error = await refusal('names.csv', 'img,Label,title\na.jpg,x,y\n', { image: 'img', label: 'label' });
    expect(error.code).toBe('dataset-column-missing');
    expect(error.message).toContain('no column "label" for the label; its columns are "img", "Label", "title"');
    expect(error.hint).toContain('did you mean "Label"?');
  });

  it('recognises the wrong separator', async () => {
    expect((await refusal('semi.csv', 'image;label\na.jpg;x\n')).hint).toMatch(/separated by semicolons/);
    expect((await refusal('tabs.csv', 'image\tlabel\na.jpg\tx\n')).hint).toMatch(/name it \.tsv/);
  });

  it.each([
    ['short', 'image,label\na.jpg,x\nb.jpg\n', /row 3, has 1 cell where the header has 2/],
    ['long', 'image,label\na.jpg,x,y\n', /row 2, has 3 cells/],
    ['after-break', 'image,label\n"a\n.jpg",x\nb.jpg\n', /row 4, has 1 cell/],
    ['open-quote', 'image,label\na.jpg,x\n"b.jpg,x\nc.jpg,x\n', /row 3, opens a double quote that is never closed/],
    ['after-blank', 'image,label\n\n\na.jpg,x\n\nb.jpg\n', /row 6, has 1 cell/],
    ['no-label', 'image,label\na.jpg,x\nb.jpg, \n', /row 3, has nothing in column "label"/],
    ['no-image', 'image,label\n,x\n', /row 2, has nothing in column "image"/],
    ['twice', 'image,label,label\na.jpg,x,y\n', /more than one column "label"/],
    ['header-only', 'image,label\n', /has a header but no rows/],
    ['empty', '', /is empty/],
    ['blank', '\n\n', /no rows/],
    ['address', 'image,label\nhttps://x.y/a.jpg,x\n', /is a web address/],
  ])('refuses a table with a fault: %s', async (name, content, message) => {
    expect((await refusal(`${name}.csv`, content)).message).toMatch(message);
  });

  it('takes columns called __proto__ and constructor as names like any other', async () => {
    const columns = { image: '__proto__', label: 'constructor' };
    expect(await read('proto.csv', '__proto__,constructor\na.jpg,x\n', columns)).toMatchObject({ images: ['a.jpg'], labels: ['x'] });
    expect(await read('proto.jsonl', '{"__proto__": "a.jpg", "constructor": "x"}\n', columns)).toMatchObject({ images: ['a.jpg'], labels: ['x'] });
    expect((await refusal('no-proto.jsonl', '{"image": "a.jpg"}\n', { image: 'image', label: '__proto__' })).code).toBe('dataset-column-missing');
    expect((await refusal('inherited.jsonl', '{"image": "a.jpg", "toString": "x"}\n{"image": "b.jpg"}\n', { image: 'image', label: 'toString' })).message).toMatch(
      /row 2, has nothing in column "toString"/,
    );
    expect(({} as Record<string, unknown>).label).toBeUndefined();
  });

  it('reads back whatever a CSV writer wrote', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'é', '"', ',', '\n', '\r\n', ';', '\t', ' ', '\u2028', '😀') }).map((text) => `x${text}x`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }), fc.constantFrom('\n', '\r\n'), fc.boolean(), async (rows, end, mark) => {
        const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const content = (mark ? '\uFEFF' : '') + ['image,caption', ...rows.map((row) => row.map(quote).join(','))].join(end) + end;
        const table = await read('generated.csv', content, { image: 'image', caption: 'caption' });
        expect(table.images).toEqual(rows.map(([image]) => image));
        expect(table.captions).toEqual(rows.map(([, caption]) => caption));
        const lines = (text: string) => text.split('\n').length - 1;
        const starts = rows.map((_, i) => 2 + rows.slice(0, i).reduce((sum, [a, b]) => sum + 1 + lines(a) + lines(b), 0));
        expect(Array.from(table.rowNumbers)).toEqual(starts);
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

describe('JSONL', () => {
  it('reads objects in any key order, with numbers as labels and U+2028 inside text', async () => {
    const table = await read('t.jsonl', '\uFEFF{"image": "a\u2028.jpg", "label": 3, "extra": {}}\r\n\r\n{"label": true, "image": "b.jpg"}', undefined);
    expect(table).toMatchObject({ images: ['a\u2028.jpg', 'b.jpg'], labels: ['3', 'true'], columnNames: ['image', 'label', 'extra'] });
    expect(Array.from(table.rowNumbers)).toEqual([1, 3]);
  });

  it.each([
    ['garbage', '{"image": "a.jpg", "label": "x"}\n{"image": \n', /row 2, is not JSON/],
    ['list', '["a.jpg", "x"]\n', /row 1, is not a JSON object/],
    ['missing', '{"image": "a.jpg", "label": "x"}\n{"image": "b.jpg"}\n', /row 2, has nothing in column "label"/],
    ['nested', '{"image": {"bytes": "…"}, "label": "x"}\n', /the image itself is stored in the table/],
    ['deep', `{"image": "a.jpg", "label": ${'['.repeat(20_000)}${']'.repeat(20_000)}}\n`, /not text/],
  ])('refuses a line with a fault: %s', async (name, content, message) => {
    expect((await refusal(`${name}.jsonl`, content)).message).toMatch(message);
  });

  it('reads lines across the chunks of a large file', async () => {
    const content = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ image: `${'ü'.repeat(i % 50)}${i}.jpg`, label: 'x' })).join('\n');
    const { images, rowNumbers } = await read('large.jsonl', content);
    expect(images.length).toBe(3000);
    expect([images[2999], rowNumbers[2999]]).toEqual([`${'ü'.repeat(49)}2999.jpg`, 3000]);
  });
});

describe('Parquet', () => {
  const parquet = (rows: number) =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'image', data: Array.from({ length: rows }, (_, i) => `${i}.jpg`), type: 'STRING' },
          { name: 'label', data: Array.from({ length: rows }, (_, i) => BigInt(i % 3)), type: 'INT64' },
          { name: 'boxes', data: Array.from({ length: rows }, (_, i) => [[i, 0, 1.5, 2]]), type: 'JSON' },
        ],
        rowGroupSize: 40,
      }),
    );

  it('reads columns over several row groups', async () => {
    const table = await read('t.parquet', parquet(100), { image: 'image', label: 'label', boxes: 'boxes' });
    expect(table.images).toEqual(Array.from({ length: 100 }, (_, i) => `${i}.jpg`));
    expect(table.labels?.slice(0, 4)).toEqual(['0', '1', '2', '0']);
    expect(table.boxes?.[99]).toEqual([[99, 0, 1.5, 2]]);
    expect([table.rowNumbers[0], table.rowNumbers[99]]).toEqual([1, 100]);
    expect(await tableColumns(join(folder, 't.parquet'))).toEqual(['image', 'label', 'boxes']);
  });

  it('refuses a missing column, an empty table and a damaged file', async () => {
    expect((await refusal('c.parquet', parquet(3), { image: 'image', label: 'lable' })).hint).toContain('"label"');
    expect((await refusal('e.parquet', parquet(0))).code).toBe('dataset-table-empty');
    expect((await refusal('cut.parquet', parquet(100).subarray(0, 500))).message).toMatch(/not a whole Parquet file/);
    expect((await refusal('text.parquet', 'PAR1 not really')).message).toMatch(/not a whole Parquet file/);
  });
});

describe('a folder per class', () => {
  const columns = { image: 'image', label: 'label' };
  const touch = async (path: string) => {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), 'x');
  };

  it('lists images by class, sorted, without hidden and other files', async () => {
    for (const path of ['b/2.png', 'b/10.JPG', 'a/deep/1.webp', 'a/notes.txt', 'a/.hidden.jpg', '.git/x.jpg', 'stray.jpg']) await touch(`set/${path}`);
    await symlink(join(folder, 'set/b/2.png'), join(folder, 'set/a/link.png'));
    const table = await loadTable(join(folder, 'set'), columns);
    expect(table.images).toEqual(['a/deep/1.webp', 'a/link.png', 'b/10.JPG', 'b/2.png']);
    expect(table.labels).toEqual(['a', 'a', 'b', 'b']);
    expect(table.files[0]).toBe(join(folder, 'set/a/deep/1.webp'));
    expect(await tableColumns(join(folder, 'set'))).toEqual([]);
  });

  it('refuses links out of the folder, a folder without classes, and columns it cannot have', async () => {
    await touch('outside/secret.jpg');
    await touch('links/a/1.jpg');
    await symlink(resolve(folder, 'outside'), join(folder, 'links/b'));
    await expect(loadTable(join(folder, 'links'), columns)).rejects.toMatchObject({ code: 'dataset-link-outside' });
    await touch('classless/1.jpg');
    await expect(loadTable(join(folder, 'classless'), columns)).rejects.toMatchObject({ code: 'dataset-table-empty' });
    await expect(loadTable(join(folder, 'set'), { image: 'image', caption: 'caption' })).rejects.toMatchObject({ code: 'dataset-column-missing' });
  });
});

describe('loadTable', () => {
  it('refuses a missing file and an unknown format', async () => {
    await expect(loadTable(join(folder, 'nowhere.csv'), { image: 'image' })).rejects.toMatchObject({ code: 'dataset-table-missing' });
    expect((await refusal('t.xlsx', 'x')).code).toBe('dataset-table-format');
  });

  it('notes images listed twice', async () => {
    const notes: string[] = [];
    const file = await write('twice.csv', 'image,label\na.jpg,x\n./a.jpg,y\n');
    await loadTable(file, { image: 'image', label: 'label' }, (event) => notes.push(event.type === 'note' ? event.text : ''));
    expect(notes).toEqual([expect.stringContaining('lists 1 images more than once')]);
  });

  it('reads the names of columns without the rows', async () => {
    expect(await tableColumns(await write('head.csv', 'a,b\n"never closed'))).toEqual(['a', 'b']);
    expect(await tableColumns(await write('head.jsonl', '{"a": 1, "b": 2}\nnot JSON'))).toEqual(['a', 'b']);
  });
});
