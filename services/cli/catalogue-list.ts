import type { Command } from "commander";
import { withSession } from "./action.ts";
import { regionOption, type GlobalOptions } from "./options.ts";
import { answer, table } from "./output.ts";
import { first } from "./people.ts";
import type { Session } from "./session.ts";

/** `bases` and `reasons` list a catalogue as the centre has it. */
export function defineCatalogue(command: Command, catalogue: "listBases" | "listReasons"): void {
  command.addOption(regionOption("whose centre to ask; all have the same", false)).action(
    withSession(async (session: Session, options: { region?: string } & GlobalOptions) => {
      const region = options.region ?? session.place.regions[0] ?? "";
      const centre = await session.centre(region, first("operator", region));
      const { items } = await centre.call(catalogue, {});
      const rows = items.map(({ code, title }) => ({ code, title }));
      answer(options, rows, () =>
        table(
          ["code", "title"],
          rows.map(({ code, title }) => [code, title]),
        ),
      );
    }),
  );
}
