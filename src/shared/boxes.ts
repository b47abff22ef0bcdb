/** An axis-aligned box [x, y, width, height] in pixels of the upright (EXIF-applied) image, origin top left. */
export type Box = readonly [x: number, y: number, width: number, height: number];
