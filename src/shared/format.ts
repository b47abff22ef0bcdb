/** Numbers as the report writes them. A missing number is an en dash. */
const none = '–';
const minus = (text: string) => text.replace('-', '−');
const thousands = new Intl.NumberFormat('en-US');

export const count = (n: number) => thousands.format(n);

/** Count with its noun: `1 image`, `3,108 images`. */
export const counted = (n: number, noun: string, plural = `${noun}s`) => `${count(n)} ${n === 1 ? noun : plural}`;

/** A share as a percentage with one decimal. */
export const percent = (share: number | null) => (share === null ? none : `${(share * 100).toFixed(1)}%`);

/** A share for running text: whole per cent, with a decimal only where rounding would claim all or none. */
export function percentInWords(share: number): string {
  const whole = Math.round(share * 100);
  return (whole === 100 && share < 1) || (whole === 0 && share > 0) ? percent(share) : `${whole}%`;
}

/** A difference of two shares in percentage points, signed. */
export const points = (difference: number | null) => (difference === null ? none : minus(`${difference > 0 ? '+' : ''}${(difference * 100).toFixed(1)}`));

export const pointsInterval = (interval: readonly [number, number] | null) => (interval ? `${points(interval[0])} to ${points(interval[1])}` : none);

export const decimal = (value: number | null, digits = 3) => (value === null ? none : minus(value.toFixed(digits)));

export const decimalInterval = (interval: readonly [number, number] | null) => (interval ? `${decimal(interval[0], 2)} to ${decimal(interval[1], 2)}` : none);

/** A p- or q-value. */
export const probability = (value: number | null) => (value === null ? none : value < 0.001 ? '< 0.001' : value.toFixed(3));

export const seconds = (value: number) => (value < 100 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`);

/** `a`, `a and b`, `a, b and c`. */
export const listed = (items: readonly string[]) => (items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`);
