import type { Command } from "commander";
import type { Control } from "#infra/local/control.ts";
import { WrongUse } from "./failure.ts";
import { dataFolderOf } from "./login-file.ts";
import type { GlobalOptions } from "./options.ts";
import { answer } from "./output.ts";

/** `local cut REGION`, and its like. */
export function lineFault(
  command: Command,
  done: string,
  act: (control: Control, region: string, given: Readonly<Record<string, string>>) => Promise<void>,
): void {
  command
    .argument("<region>", "region whose line to the capital is meant")
    .action(async (region: string, given: Readonly<Record<string, string>>, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      await act(await localControl(options), region, given);
      answer(options, { region, done }, () => `${done}: the line of ${region} to the capital`);
    });
}

/** `local kill SITE/SERVICE`, and its like. */
export function processFault(
  command: Command,
  done: string,
  act: (control: Control, site: string, service: string) => Promise<void>,
): void {
  command
    .argument("<process>", "REGION/SERVICE or capital/SERVICE")
    .action(async (name: string, _given: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const { site, service } = processNamed(name);
      await act(await localControl(options), site, service);
      answer(options, { process: name, done }, () => `${done}: ${name}`);
    });
}

/** `local snapshot SITE/SERVICE …`, and its like: all at one moment, so all of one site. */
export function storesFault(
  command: Command,
  done: string,
  act: (control: Control, site: string, services: readonly string[]) => Promise<void>,
): void {
  command
    .argument("<process...>", "REGION/SERVICE or capital/SERVICE, all of one site")
    .action(async (names: readonly string[], _given: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const named = names.map(processNamed);
      const sites = [...new Set(named.map(({ site }) => site))];
      const [site = ""] = sites;
      if (sites.length > 1) {
        throw new WrongUse({
          field: "process",
          value: names.join(" "),
          message: "these are of several sites",
          remedy: "name processes of one site at a time",
        });
      }
      const services = named.map(({ service }) => service);
      await act(await localControl(options), site, services);
      answer(options, { site, services, done }, () => `${done}: ${names.join(", ")}`);
    });
}

function processNamed(name: string): { readonly site: string; readonly service: string } {
  const [, site, service] = /^([^/]+)\/([^/]+)$/.exec(name) ?? [];
  if (site !== undefined && service !== undefined) return { site, service };
  throw new WrongUse({
    field: "process",
    value: name,
    message: "this names no process",
    remedy: "give REGION/SERVICE or capital/SERVICE, as `qalqan status` lists them",
  });
}

/** Faults are for a data folder on this machine, never for a server elsewhere. */
export async function localControl(options: GlobalOptions): Promise<Control> {
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
