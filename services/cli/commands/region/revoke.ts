import type { Command } from "commander";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { revokeRegion } from "#infra/deployment/region-files.ts";
import { defineKeyChange } from "../../key-change.ts";
import { rollOut } from "../../next-steps.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineKeyChange(command, {
    done: "revoked",
    explained: [
      "Whoever has the key of the region's line has nothing any more: lines that are open with it end, it opens",
      "none, and what it sends from now on is refused. What the region has said before stays valid, and the",
      "region goes on screening by itself. `region rotate` lets it in again, with another key.",
    ],
    locally: (control, region) => control.revoke(region),
    onClusters: async (deployment, region) => {
      revokeRegion(deployment, region);
      return [
        rollOut(capitalSite, "the hub forgets the key and ends its lines; what it sends is refused"),
        {
          command: `npx qalqan region rotate ${region}`,
          why: "when its servers are in the right hands again",
        },
      ];
    },
  });
  examples(command, "qalqan region revoke astana");
}
