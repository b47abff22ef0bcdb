import { useEffect, useState } from 'preact/hooks';
import type { BarColours } from './barRows';

/**
 * Tokens of series in their order; charts give each a shape, a dash or a hatch besides. Orange is not among them: dark themes make
 * it translucent, and high contrast has none.
 */
export const chartTokens = ['--vscode-charts-blue', '--vscode-charts-yellow', '--vscode-charts-purple', '--vscode-charts-green', '--vscode-charts-red'] as const;

/** The value of a colour token, or of the first that the theme has. */
export function themeColour(...tokens: readonly string[]): string {
  const style = getComputedStyle(document.documentElement);
  return tokens.map((token) => style.getPropertyValue(token).trim()).find((value) => value !== '') ?? 'currentColor';
}

/** What bars look like in this theme, for a file. */
export const barColours = (): BarColours => ({
  solid: themeColour('--vscode-charts-blue'),
  hatched: themeColour('--vscode-charts-yellow'),
  text: themeColour('--vscode-foreground'),
  ground: themeColour('--vscode-editor-background'),
  font: 'sans-serif',
});

/** CSS colours as 0xBBGGRR, over `ground` where they are translucent. Whatever the browser can paint can be read. */
export function inksOf(colours: readonly string[], ground: string): number[] {
  const canvas = document.createElement('canvas');
  const painter = canvas.getContext('2d', { willReadFrequently: true });
  if (!painter) return colours.map(() => 0);
  canvas.width = canvas.height = 1;
  return colours.map((colour) => {
    for (const each of [ground, colour]) {
      painter.fillStyle = each;
      painter.fillRect(0, 0, 1, 1);
    }
    const [red, green, blue] = painter.getImageData(0, 0, 1, 1).data;
    return red! | (green! << 8) | (blue! << 16);
  });
}

/** Counts the theme's changes: what is painted with the theme's colours is painted again. */
export function useThemeVersion(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const observer = new MutationObserver(() => setVersion((before) => before + 1));
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
    observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-id'] });
    return () => observer.disconnect();
  }, []);
  return version;
}
