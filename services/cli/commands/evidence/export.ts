import { renameSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, groupDigits, plural } from "../../output.ts";
import { first } from "../../people.ts";
import type { Session } from "../../session.ts";
import { regionNamedBy } from "../../subject.ts";

interface Options extends GlobalOptions {
  readonly out?: string;
}

export function define(command: Command): void {
  command
    .argument("<directive>", "id of the directive")
    .option("--out <file>", "where to write the file (default: <directive>.evidence.json)")
    .addHelpText(
      "after",
      [
        "",
        "One JSON file: every event about the directive as its region wrote it, who asked and who approved,",
        "the intelligence that it names, the capital's decisions, each region's receipts, and for each of them",
        "the path to a signed seal. That you asked is in the capital's audit. Central prosecutor.",
        "What was said in the last seconds is in the file and not sealed yet: verify says so; export again then.",
      ].join("\n"),
    )
    .action(withSession(run, (_: Options, id: string) => regionNamedBy("directive", id)));
  examples(
    command,
    "qalqan evidence export astana-01K0000000000000000000000A",
    "qalqan evidence export astana-01K0000000000000000000000A --out case-17.json",
  );
}

async function run(session: Session, options: Options, id: string): Promise<void> {
  const coordination = await session.coordination(first("central-prosecutor", ""));
  const parts: Uint8Array[] = [];
  for await (const { content } of coordination.read("exportEvidence", { directive: id })) parts.push(content);
  const bytes = Buffer.concat(parts);
  const { parseEvidence } = await import("#domain/evidence-document.ts");
  const { items, seals } = parseEvidence(bytes.toString("utf8"));
  const unsealed = items.filter(({ seal }) => seal === 0).length;
  const file = resolve(options.out ?? `${id}.evidence.json`);
  writeFileSync(`${file}.new`, bytes);
  renameSync(`${file}.new`, file);
  const document = {
    file,
    directive: id,
    bytes: bytes.length,
    items: items.length,
    seals: seals.length,
    unsealed,
  };
  answer(options, document, () => [
    `${file}: ${groupDigits(bytes.length)} bytes, ${plural(items.length, "message")}, ${plural(seals.length, "seal")}`,
    ...(unsealed === 0
      ? []
      : [`${plural(unsealed, "message")} not sealed yet: export again in a few seconds`]),
    `next: npx qalqan evidence verify ${file} --keys KEYS (evidence keys --out KEYS writes the public keys)`,
  ]);
}
