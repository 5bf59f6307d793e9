import type { Command } from "commander";
import { withSession } from "./action.ts";
import { regionOption, type GlobalOptions } from "./options.ts";
import { answer } from "./output.ts";
import { first } from "./people.ts";
import type { Session } from "./session.ts";

/** `stop` and `resume` turn one switch; without --region, the nation's. */
export function defineStop(command: Command, stopped: boolean): void {
  command
    .addOption(regionOption("only this region (regional prosecutor, or a carrier: its trunks)", false))
    .action(
      withSession(async (session: Session, options: { region?: string } & GlobalOptions) => {
        const { region } = options;
        const what =
          region === undefined
            ? await stopNation(session, stopped)
            : await stopRegion(session, region, stopped);
        answer(options, what, () =>
          stopped
            ? `stopped: ${what.what}; every call there is answered as in shadow`
            : `resumed: ${what.what}; the trunks' modes count again`,
        );
      }),
    );
}

async function stopNation(session: Session, stopped: boolean) {
  const coordination = await session.coordination(first("central-prosecutor", ""));
  const done = await coordination.call("setNationalStop", { stopped });
  return { stopped: done.stopped, what: "the nation", region: null, nationalRevision: done.nationalRevision };
}

async function stopRegion(session: Session, region: string, stopped: boolean) {
  const centre = await session.centre(region, first("regional-prosecutor", region));
  const done = await centre.call("setStop", { stopped });
  const what = done.what === "" || done.what === "region" ? region : `${region}, trunks of ${done.what}`;
  return { stopped: done.stopped, what, region, nationalRevision: null };
}
