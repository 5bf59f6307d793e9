import type { Command } from "commander";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { renewRegion } from "#infra/deployment/region-files.ts";
import { defineKeyChange } from "../../key-change.ts";
import { rollOut } from "../../next-steps.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineKeyChange(command, {
    done: "rotated",
    explained: [
      "For a key that somebody else may have: the one before opens nothing from now on, and lines that are open",
      "with it end. On clusters all keys of the region are made anew, without a time in which both are trusted:",
      "the region is cut off until it is rolled out. (`keys rotate` is the way without a cut.)",
    ],
    locally: (control, region) => control.rotate(region),
    onClusters: async (deployment, region) => {
      await renewRegion(deployment, region);
      return [
        rollOut(capitalSite, "the hub knows the new key alone, and ends the lines of the one before"),
        rollOut(region, "it takes its new keys, and comes back"),
      ];
    },
  });
  examples(command, "qalqan region rotate astana");
}
