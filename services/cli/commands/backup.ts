import type { Command } from "commander";
import { backUp, type SiteBackup } from "../backups/back-up.ts";
import { LocalSite } from "../backups/site.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer, groupDigits, note, table } from "../output.ts";
import { progressBar } from "../progress-bar.ts";

interface Options extends GlobalOptions {
  readonly to?: string;
}

export function define(command: Command): void {
  command
    .argument("[site]", "capital, a region, or all", "all")
    .option("--to <dir>", "folder of the backups, one folder a site in it (default: that of start --backups)")
    .addHelpText(
      "after",
      [
        "",
        "Makes a base backup of the PostgreSQL of each site while it works: what people decided, their audit,",
        "and at the capital the log of NATIONAL. Streams and screening's files need none: they come back from",
        "there and from the other end of the line (services/keeper/BACKUP.md has the table).",
        "",
        "With `start --backups DIR` all changes since are kept as well (WAL), and `restore` can go to any",
        "moment; a backup into another folder holds the moment of its end. Repeating it makes a further one.",
        "On clusters the keeper beside each PostgreSQL does all this by itself.",
      ].join("\n"),
    )
    .action(run);
  examples(command, "qalqan backup --to /mnt/backups", "qalqan backup capital");
}

async function run(name: string, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  const sites = name === "all" ? LocalSite.all(options) : [LocalSite.of(name, options)];
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted: no half a backup is left")));
  const made: SiteBackup[] = [];
  for (const site of sites) {
    const bar = await progressBar(`backing up ${site.name}`, 1, options.json === true);
    try {
      made.push(
        await backUp(site, site.backups("to", options.to), interrupted.signal, (done, of) =>
          bar.update(done, of),
        ),
      );
    } finally {
      bar.stop();
    }
  }
  answer(options, { backups: made }, () => shown(made));
  if (made.some(({ continuous }) => !continuous)) {
    note("only the moment of its end: `start --backups DIR` also keeps every change since");
  }
}

function shown(made: readonly SiteBackup[]): string[] {
  const rows = made.map(({ site, label, bytes, milliseconds, folder }) => [
    site,
    label,
    groupDigits(bytes),
    `${groupDigits(milliseconds)} ms`,
    folder,
  ]);
  return table(["site", "backup", "bytes", "took", "folder"], rows);
}
