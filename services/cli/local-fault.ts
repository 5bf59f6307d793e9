import type { Command } from "commander";
import type { Control } from "#infra/local/control.ts";
import { WrongUse } from "./failure.ts";
import { dataFolderOf } from "./login-file.ts";
import type { GlobalOptions } from "./options.ts";
import { answer } from "./output.ts";

/** `local cut|heal REGION`. */
export function defineLineFault(
  command: Command,
  done: string,
  act: (control: Control, region: string) => Promise<void>,
) {
  command
    .argument("<region>", "region whose line to the capital is meant")
    .action(async (region: string, _given: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      await act(await controlOf(options), region);
      answer(options, { region, done }, () => `${done}: the line of ${region} to the capital`);
    });
}

/** `local kill|pause|resume SITE/SERVICE`. */
export function defineProcessFault(
  command: Command,
  done: string,
  act: (control: Control, site: string, service: string) => Promise<void>,
) {
  command
    .argument("<process>", "REGION/SERVICE or capital/SERVICE")
    .action(async (name: string, _given: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const [, site = "", service = ""] = /^([^/]+)\/([^/]+)$/.exec(name) ?? [];
      if (site === "") {
        throw new WrongUse({
          field: "process",
          value: name,
          message: "this names no process",
          remedy: "give REGION/SERVICE or capital/SERVICE, as `qalqan status` lists them",
        });
      }
      await act(await controlOf(options), site, service);
      answer(options, { process: name, done }, () => `${done}: ${name}`);
    });
}

/** Faults are for a data folder on this machine, never for a server elsewhere. */
async function controlOf(options: GlobalOptions): Promise<Control> {
  if (options.server !== undefined) {
    throw new WrongUse({
      field: "server",
      value: options.server,
      message: "faults are made in the local run alone",
      remedy: "name its data folder with --data, without --server",
    });
  }
  const { connectControl } = await import("#infra/local/control.ts");
  return connectControl(dataFolderOf(options));
}
