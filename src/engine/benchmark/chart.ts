import type { Mean } from './tables';

/** Horizontal bars with 95% intervals over 0..1, as a standalone SVG that reads on light and dark pages. */
export function barChart(title: string, bars: readonly { readonly name: string; readonly value: Mean }[]): string {
  const height = top + bars.length * row + bottom;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((tick) => `<path class="grid" d="M${x(tick)} ${top}V${height - bottom}"/><text x="${x(tick)}" y="${height - bottom + 16}" text-anchor="middle">${tick}</text>`);
  const drawn = bars.map(({ name, value: { mean, interval } }, i) => {
    const y = top + i * row + row / 2;
    const label = `<text x="${left - 8}" y="${y + 4}" text-anchor="end">${escaped(name)}</text>`;
    if (mean === null) return `${label}<text x="${left + 4}" y="${y + 4}">–</text>`;
    const bar = `<rect x="${left}" y="${y - 8}" width="${round(x(mean) - left)}" height="16"/>`;
    const whisker = interval ? `<path class="interval" d="M${x(clamp(interval[0]))} ${y}H${x(clamp(interval[1]))}M${x(clamp(interval[0]))} ${y - 4}v8M${x(clamp(interval[1]))} ${y - 4}v8"/>` : '';
    return `${label}${bar}${whisker}<text x="${round(x(clamp(interval?.[1] ?? mean)) + 6)}" y="${y + 4}">${mean.toFixed(2)}</text>`;
  });
  const style = 'text{font:12px system-ui,sans-serif;fill:#777}rect{fill:#4878cf}.grid{stroke:#8884}.interval{stroke:#777;stroke-width:1.5;fill:none}.title{font-weight:600}';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)} by method">`,
    `<style>${style}</style><text class="title" x="${left}" y="16">${escaped(title)}</text>`,
    ...ticks,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

const [width, left, right, top, bottom, row] = [640, 230, 60, 28, 26, 26];
const x = (value: number) => round(left + value * (width - left - right));
const clamp = (value: number) => Math.max(0, Math.min(1, value));
const round = (value: number) => Math.round(value * 10) / 10;
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
