import fc from "fast-check";
import { expect, test } from "vitest";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { placeLabels } from "../../services/console/page/map/label-places.ts";
import { arrows, nearestTowards } from "../../services/console/page/map/nearest.ts";
import { plane, project } from "../../services/console/page/map/projection.ts";

const places = loadRegions().map(({ coordinates }) => project(coordinates.latitude, coordinates.longitude));

test("every centre lies on the plane, north above south and west left of east", () => {
  for (const { x, y } of places) {
    expect(x).toBeGreaterThan(0);
    expect(x).toBeLessThan(plane.width);
    expect(y).toBeGreaterThan(0);
    expect(y).toBeLessThan(plane.height);
  }
  expect(project(54, 67).y).toBeLessThan(project(42, 67).y);
  expect(project(48, 50).x).toBeLessThan(project(48, 80).x);
});

test("the arrow keys reach every centre from every other", () => {
  for (const start of places.keys()) {
    const reached = new Set([start]);
    for (const index of reached) {
      for (const direction of Object.values(arrows)) {
        const next = nearestTowards(places, places[index] ?? { x: 0, y: 0 }, direction);
        if (next !== undefined) reached.add(next);
      }
    }
    expect(reached.size).toBe(places.length);
  }
});

test("labels cover neither each other nor leave the plane, however many points there are", () => {
  const point = fc.record({ x: fc.integer({ min: 0, max: 1_000 }), y: fc.integer({ min: 0, max: 560 }) });
  fc.assert(
    fc.property(fc.array(point, { maxLength: 40 }), fc.integer({ min: 20, max: 220 }), (points, width) => {
      const labels = placeLabels(
        points,
        points.map(() => width),
        17,
        plane,
      );
      const shift = { start: 0, middle: width / 2, end: width };
      const boxes = labels.flatMap((label) =>
        label === undefined ? [] : [{ left: label.x - shift[label.anchor], base: label.y }],
      );
      for (const [index, box] of boxes.entries()) {
        expect(box.left).toBeGreaterThanOrEqual(0);
        expect(box.left + width).toBeLessThanOrEqual(plane.width);
        for (const other of boxes.slice(index + 1)) {
          const isApart =
            Math.abs(box.left - other.left) >= width - 1e-6 || Math.abs(box.base - other.base) >= 17 - 1e-6;
          expect(isApart).toBe(true);
        }
      }
    }),
  );
});
