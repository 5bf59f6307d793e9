declare module "virtual:outline" {
  /** The country's borders as an SVG path on the plane of `map/projection.ts`. */
  export const outline: string;
}
