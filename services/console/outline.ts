import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { MultiPolygon, Polygon, Position } from "geojson";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import type { Plugin } from "vite";
import { project } from "./page/map/projection.ts";

/** ISO 3166-1 numeric code of Kazakhstan, the id of its shape in the atlas. */
const country = "398";
const name = "virtual:outline";

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
  const file = createRequire(import.meta.url).resolve("world-atlas/countries-50m.json");
  const atlas: Topology<{ countries: GeometryCollection }> = JSON.parse(readFileSync(file, "utf8"));
  const shape = atlas.objects.countries.geometries.find(({ id }) => id === country);
  if (shape === undefined) throw new Error(`the atlas ${file} has no country ${country}`);
  const { geometry } = feature(atlas, shape);
  return polygons(geometry as Polygon | MultiPolygon)
    .flat()
    .map((ring) => ringPath(ring))
    .join("");
}

function polygons(geometry: Polygon | MultiPolygon): Position[][][] {
  return geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
}

function ringPath(ring: Position[]): string {
  const points = ring.map(([longitude = 0, latitude = 0]) => {
    const { x, y } = project(latitude, longitude);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const distinct = points.filter((point, index) => point !== points[index - 1]);
  return `M${distinct.join("L")}Z`;
}
