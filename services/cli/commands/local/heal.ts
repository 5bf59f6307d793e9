import type { Command } from "commander";
import { mendSite } from "../../faults/mend.ts";
import { localControl } from "../../local-fault.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

export function define(command: Command): void {
  command
    .argument("<site>", "region, or capital")
    .action(async (site: string, _given: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const mended = await mendSite(await localControl(options), site);
      answer(options, { site, done: "healed", mended }, () =>
        mended.length === 0 ? `nothing was wrong at ${site}` : mended.map((what) => `healed: ${what}`),
      );
    });
  examples(command, "qalqan local heal astana", "qalqan local heal capital");
}
