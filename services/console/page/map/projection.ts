/** A place on the map's plane: units of the drawing, y downwards. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** The plane that the whole country fits into. */
export const plane = { width: 1000, height: 560 };

const radians = Math.PI / 180;

/** Two parallels that cut the country in thirds keep its shape nearly true. */
const [southern, northern, middleLatitude, middleLongitude] = [
  43 * radians,
  53 * radians,
  48.2 * radians,
  67 * radians,
];

/** Units of the plane in one radius of the Earth: the widest extent, 46° to 88° east, fits with a margin. */
const scale = 2060;

const steepness = (latitude: number) => Math.tan(Math.PI / 4 + latitude / 2);
const cone =
  Math.log(Math.cos(southern) / Math.cos(northern)) / Math.log(steepness(northern) / steepness(southern));
const apex = (Math.cos(southern) * steepness(southern) ** cone) / cone;
const middleRadius = apex / steepness(middleLatitude) ** cone;

/** Lambert's conformal conic projection (Snyder, USGS 1395, equations 15-1 to 15-4, sphere); degrees in. */
export function project(latitude: number, longitude: number): Place {
  const radius = apex / steepness(latitude * radians) ** cone;
  const angle = cone * (longitude * radians - middleLongitude);
  return {
    x: plane.width / 2 + scale * radius * Math.sin(angle),
    y: plane.height / 2 - scale * (middleRadius - radius * Math.cos(angle)),
  };
}
