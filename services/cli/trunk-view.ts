import type { Trunk } from "#proto/qalqan/centre/v1/centre.ts";

/** A trunk of a region, for --json. */
export function trunkDocument(region: string, trunk: Trunk) {
  const { trunk: name, direction, operator, sbcAddress, mode, percent, revision, stopped } = trunk;
  return { region, trunk: name, direction, operator, sbcAddress, mode, percent, revision, stopped };
}
