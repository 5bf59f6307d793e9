import { Problem } from "../problem.ts";

/** Something is wrong with the file of a site's keys. */
export function keysProblem(code: `keys-${string}`, file: string, message: string, remedy: string): Problem {
  return new Problem({ code, field: "keys", value: file, message, remedy });
}
