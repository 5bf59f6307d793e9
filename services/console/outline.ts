import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Position } from "geojson";
import { feature } from "topojson-client";
import type { Plugin } from "vite";
import { project } from "./page/map/projection.ts";

/** ISO 3166-1 numeric code of Kazakhstan, the id of its shape in the atlas. */
const country = "398";
const name = "virtual:outline";
const require = createRequire(import.meta.url);

/**
 * Gives the page the outline of the country as one SVG path, cut from the
 * public-domain world atlas when the page is built: the page itself carries
 * neither the world nor code to read it.
 */
export function outline(): Plugin {
  return {
    name: "outline",
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load: (id) =>
      id === `\0${name}` ? `export const outline = ${JSON.stringify(outlinePath())};` : undefined,
  };
}

/** The country's borders on the map's plane, one decimal of a unit (about 300 m). */
function outlinePath(): string {
  const file = require.resolve("world-atlas/countries-50m.json");
  const atlas: Parameters<typeof feature>[0] = JSON.parse(readFileSync(file, "utf8"));
  const countries = atlas.objects["countries"];
  const shapes = countries === undefined ? undefined : feature(atlas, countries);
  const shape =
    shapes?.type === "FeatureCollection" ? shapes.features.find(({ id }) => id === country) : undefined;
  if (shape?.geometry.type !== "MultiPolygon")
    throw new Error(`${file} has no outline of country ${country}`);
  return shape.geometry.coordinates
    .flat()
    .map((ring) => ringPath(ring))
    .join("");
}

function ringPath(ring: Position[]): string {
  const points = ring.map(([longitude = 0, latitude = 0]) => {
    const { x, y } = project(latitude, longitude);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const distinct = points.filter((point, index) => point !== points[index - 1]);
  return `M${distinct.join("L")}Z`;
}
