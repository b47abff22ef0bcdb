import { join } from 'node:path';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { Editor } from './editor';
import { until } from './until';

/** The findings panel is open on the shortcut that the sample was made with: red rectangles, which pull towards pullover. */
export async function expectPlantedFinding(editor: Editor, title: string): Promise<void> {
  const panel = await editor.panel(title);
  const first = panel.getByRole('row').nth(1);
  await first.waitFor();
  const text = (await first.textContent()) ?? '';
  expect(text).toContain('red');
  expect(text).toContain('pullover');
  // Every region of the gallery is outlined where its image is red.
  const outlined = await until('pictures with boxes', async () => {
    const found = await panel.locator('.picture:has(svg.outline)').evaluateAll((pictures) =>
      pictures.map((picture) => {
        const rect = picture.querySelector('rect.inside')!;
        const [x, y, width, height] = ['x', 'y', 'width', 'height'].map((name) => Number(rect.getAttribute(name)));
        return { alt: picture.querySelector('img')?.alt ?? '', box: { left: x!, top: y!, width: width!, height: height! } };
      }),
    );
    return found.length >= 4 && found;
  });
  for (const { alt, box } of outlined.slice(0, 8)) {
    const file = /[\w./-]+\.png/.exec(alt)?.[0];
    expect(file, alt).toBeDefined();
    const { channels } = await sharp(join(editor.workspace, file!)).extract(box).stats();
    const [red, green, blue] = channels.map(({ mean }) => mean);
    expect(red, `${alt} ${JSON.stringify(box)}`).toBeGreaterThan(green! + 60);
    expect(red).toBeGreaterThan(blue! + 60);
  }
}
