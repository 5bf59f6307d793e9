import { connectControl, type Control } from "#infra/local/control.ts";
import { LocalRunError } from "#infra/local/errors.ts";
import { startNation } from "#infra/local/nation.ts";
import type { GlobalOptions } from "../options.ts";
import { firstRegions } from "../regions-folder.ts";
import { lackingSampleData } from "../sample-data-lacking.ts";

const hubNodes = 3;

/** The nation of a data folder: the one that runs, or one that is started and ends with the caller. */
export async function nationForFaults(
  options: GlobalOptions,
  dataFolder: string,
  report: (line: string) => void,
): Promise<AsyncDisposable & { readonly control: Control }> {
  const running = controlOfRunning(dataFolder);
  if (running !== undefined) return { control: running, [Symbol.asyncDispose]: async () => undefined };
  report(`starting a nation on ${dataFolder}`);
  const nation = await startNation({
    dataFolder,
    regions: await firstRegions(),
    preparesClocks: true,
    log: report,
    hubNodes,
  });
  try {
    await nation.ready;
    const lacking = lackingSampleData(dataFolder, nation.run.regions);
    if (lacking.bank || lacking.regions.length > 0) {
      const { addSampleData } = await import("../sample-data.ts");
      await addSampleData(options, lacking);
    }
  } catch (error) {
    await nation.stop();
    throw error;
  }
  return { control: nation, [Symbol.asyncDispose]: () => nation.stop() };
}

function controlOfRunning(dataFolder: string): Control | undefined {
  try {
    return connectControl(dataFolder);
  } catch (error) {
    if (error instanceof LocalRunError && error.code === "not-running") return undefined;
    throw error;
  }
}
