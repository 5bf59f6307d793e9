import type { Place } from "./projection.ts";

/** Unit steps of the arrow keys on the map's plane. */
export const arrows: Readonly<Record<string, Place>> = {
  ArrowRight: { x: 1, y: 0 },
  ArrowLeft: { x: -1, y: 0 },
  ArrowDown: { x: 0, y: 1 },
  ArrowUp: { x: 0, y: -1 },
};

/**
 * The point that lies next in a direction: the nearest one, where a way aside
 * counts twice.
 *
 * @returns its index, or undefined when nothing lies there
 */
export function nearestTowards(points: readonly Place[], from: Place, direction: Place): number | undefined {
  const costs = points.map((point) => {
    const along = (point.x - from.x) * direction.x + (point.y - from.y) * direction.y;
    const aside = Math.abs((point.x - from.x) * direction.y) + Math.abs((point.y - from.y) * direction.x);
    return along > 0 && along >= aside / 3 ? along + 2 * aside : Number.POSITIVE_INFINITY;
  });
  const least = Math.min(...costs);
  return Number.isFinite(least) ? costs.indexOf(least) : undefined;
}
