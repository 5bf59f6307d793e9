import type { Place } from "./projection.ts";

/** A box on the map's plane. */
interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Where a label is written: the start of its base line. */
export interface LabelPlace extends Place {
  readonly anchor: "start" | "middle" | "end";
}

const gap = 15;
const markHalf = 10;

/**
 * Writes each label beside its point, where it covers neither another point
 * nor another label: to the right if that is free, else left, below, above. A
 * label that finds no free place is left out; the point says its name itself.
 *
 * @param widths of the labels, in units of the plane
 * @param height of a line
 * @param frame the labels stay inside it
 */
export function placeLabels(
  points: readonly Place[],
  widths: readonly number[],
  height: number,
  frame: { readonly width: number; readonly height: number },
): (LabelPlace | undefined)[] {
  const taken: Box[] = points.map(({ x, y }) => ({
    left: x - markHalf,
    top: y - markHalf,
    right: x + markHalf,
    bottom: y + markHalf,
  }));
  return points.map((point, index) => {
    const width = widths[index] ?? 0;
    const free = candidates(point, height).find((place) => {
      const box = boxOf(place, width, height);
      const isInside =
        box.left >= 0 && box.top >= 0 && box.right <= frame.width && box.bottom <= frame.height;
      return isInside && taken.every((other) => !overlap(box, other));
    });
    if (free !== undefined) taken.push(boxOf(free, width, height));
    return free;
  });
}

function candidates({ x, y }: Place, height: number): LabelPlace[] {
  const middle = y + height * 0.32;
  return [
    { x: x + gap, y: middle, anchor: "start" },
    { x: x - gap, y: middle, anchor: "end" },
    { x, y: y + gap + height * 0.7, anchor: "middle" },
    { x, y: y - gap, anchor: "middle" },
    { x: x + gap * 0.8, y: y + gap + height * 0.35, anchor: "start" },
    { x: x + gap * 0.8, y: y - gap * 0.6, anchor: "start" },
    { x: x - gap * 0.8, y: y + gap + height * 0.35, anchor: "end" },
    { x: x - gap * 0.8, y: y - gap * 0.6, anchor: "end" },
  ];
}

function boxOf({ x, y, anchor }: LabelPlace, width: number, height: number): Box {
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - height * 0.78, bottom: y + height * 0.22 };
}

function overlap(one: Box, other: Box): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}
