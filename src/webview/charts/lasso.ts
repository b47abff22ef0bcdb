/** Which points lie inside a polygon that a person is drawing. Points and polygon are in the same coordinates. */
export interface Lasso {
  /** Adds a corner. */
  add(x: number, y: number): void;
  /** 1 for the points inside the polygon as it is, closed by a straight line; by the even-odd rule, as it is filled. */
  inside(): Uint8Array;
}

/**
 * The polygon grows by a corner at a time, so each point keeps whether a ray from it crosses the edges so far an odd number of
 * times: a new corner costs one edge a point, and 40,000 points follow the pointer. Points that are NaN lie outside.
 */
export function startLasso(x: Float32Array, y: Float32Array): Lasso {
  const odd = new Uint8Array(x.length);
  let first: readonly [number, number] | null = null;
  let last: readonly [number, number] | null = null;
  return {
    add(cornerX, cornerY) {
      if (last) toggleCrossed(odd, x, y, last[0], last[1], cornerX, cornerY);
      last = [cornerX, cornerY];
      first ??= last;
    },
    inside() {
      const closed = odd.slice();
      if (first && last) toggleCrossed(closed, x, y, last[0], last[1], first[0], first[1]);
      return closed;
    },
  };
}

/** The points inside a finished polygon, given as x, y, x, y, … */
export function insidePolygon(x: Float32Array, y: Float32Array, corners: ArrayLike<number>): Uint8Array {
  const lasso = startLasso(x, y);
  for (let i = 0; i + 1 < corners.length; i += 2) lasso.add(corners[i]!, corners[i + 1]!);
  return lasso.inside();
}

/** Toggles the points from which a ray to the right crosses the edge. An edge holds its upper end and not its lower one, so corners count once. */
function toggleCrossed(odd: Uint8Array, x: Float32Array, y: Float32Array, x1: number, y1: number, x2: number, y2: number): void {
  if (y1 === y2) return;
  // Both directions of an edge must round alike, or a thin polygon would keep a point that lies on neither side.
  const [topX, topY, bottomX, bottomY] = y1 < y2 ? [x1, y1, x2, y2] : [x2, y2, x1, y1];
  const slope = (bottomX - topX) / (bottomY - topY);
  for (let i = 0; i < odd.length; i++) {
    const at = y[i]!;
    if (at >= topY && at < bottomY && x[i]! < topX + (at - topY) * slope) odd[i]! ^= 1;
  }
}
