import { expect } from 'vitest';
import type { Editor } from './editor';
import { until } from './until';

/** The findings panel is open on the shortcut that the sample was made with: red rectangles, which pull towards pullover. */
export async function expectPlantedFinding(editor: Editor): Promise<void> {
  const panel = await editor.panel('findings', 'Findings: checkpoint');
  const first = panel.getByRole('row').nth(1);
  await first.waitFor();
  const text = (await first.textContent()) ?? '';
  expect(text).toContain('red');
  expect(text).toContain('pullover');
  const outlined = await until('pictures with boxes', async () => {
    const found = await panel.locator('.picture:has(svg.outline)').evaluateAll(coloursInBoxes);
    return found.length >= 4 && found;
  });
  for (const [red, green, blue] of outlined) {
    expect(red).toBeGreaterThan(200);
    expect(green).toBeLessThan(60);
    expect(blue).toBeLessThan(60);
  }
}

/** The mean colour that each picture has inside of the box drawn on it; those that are not loaded yet are left out. Runs in the page. */
function coloursInBoxes(pictures: readonly Element[]): number[][] {
  return pictures.flatMap((picture) => {
    const image = picture.querySelector('img')!;
    if (!image.complete || image.naturalWidth === 0) return [];
    const canvas = document.createElement('canvas');
    const context = Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight }).getContext('2d')!;
    context.drawImage(image, 0, 0);
    const scale = image.naturalWidth / picture.querySelector('svg')!.viewBox.baseVal.width;
    const [x, y, width, height] = ['x', 'y', 'width', 'height'].map((name) => Number(picture.querySelector('rect')!.getAttribute(name)) * scale) as [number, number, number, number];
    const { data } = context.getImageData(x, y, width, height);
    return [[0, 1, 2].map((channel) => data.filter((_, i) => i % 4 === channel).reduce((sum, value) => sum + value, 0) / (data.length / 4))];
  });
}
