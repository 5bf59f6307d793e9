import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { intelligenceKinds, intelligenceSources, markings } from "#domain/intelligence.ts";
import { withSession } from "../../action.ts";
import { parseCount, parseEnd } from "../../durations.ts";
import { WrongUse } from "../../failure.ts";
import { intelligenceDocument, intelligenceLines } from "../../intelligence-view.ts";
import { examples, regionOption, wordOption, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { first } from "../../people.ts";
import type { Session } from "../../session.ts";

interface Options {
  region: string;
  kind: string;
  audience: string;
  tlp: string;
  field?: string[];
  fields?: string;
  confidence: string;
  source: string;
  valid: string;
  note?: string;
  wording?: string;
}

export function define(command: Command): void {
  command
    .addOption(regionOption("region that writes it", true))
    .addOption(wordOption("--kind <kind>", "what it is about", intelligenceKinds).makeOptionMandatory(true))
    .requiredOption(
      "--audience <audience>",
      "region (this one alone), all, or slugs of regions separated by commas",
    )
    .addOption(
      wordOption(
        "--tlp <marking>",
        "what its readers may do with it (TLP 2.0)",
        markings,
      ).makeOptionMandatory(true),
    )
    .option("--field <name=value...>", "a field of its kind, as text; repeat for more")
    .option("--fields <json>", "all fields of its kind as a JSON object")
    .option("--confidence <n>", "0 to 100", "50")
    .addOption(wordOption("--source <source>", "who it comes from", intelligenceSources).default("operator"))
    .option("--valid <end>", "how long it holds: 30d, or a time (ISO 8601)", "90d")
    .option("--note <text>", "free text; never leaves the region")
    .option("--wording <text>", "a script's wording, released for the audience; no runs of seven digits")
    .action(withSession(run, requestOf));
  examples(
    command,
    "qalqan intelligence add --region astana --kind number --field number=+442079460958 --audience all --tlp amber --confidence 80",
    "qalqan intelligence add --region almaty --kind call-centre --field country=GE city=Example --audience all --tlp green",
  );
}

async function run(session: Session, options: Options & GlobalOptions): Promise<void> {
  const centre = await session.centre(options.region, first("operator", options.region));
  const view = await centre.call("addIntelligence", requestOf(options));
  answer(options, intelligenceDocument(view), () => intelligenceLines(view));
}

function requestOf(options: Options) {
  return {
    kind: options.kind,
    fieldsJson: fieldsOf(options),
    audience: options.audience,
    tlp: options.tlp,
    confidence: parseCount("confidence", options.confidence, 0, 100),
    source: options.source,
    validUntilMs: parseEnd("valid", options.valid, Date.now()),
    note: options.note ?? "",
    releasedWording: options.wording ?? "",
    idempotencyKey: randomUUID(),
  };
}

/** `--field` gives texts; what is no text goes through `--fields`. */
function fieldsOf({ field = [], fields }: Options): string {
  const whole = fields === undefined ? {} : parseFields(fields);
  const single = field.map((text) => {
    const [, name = "", value = ""] = /^([A-Za-z][A-Za-z0-9]*)=(.*)$/s.exec(text) ?? [];
    if (name === "")
      throw wrongField("field", text, "give name=value, for example --field number=+442079460958");
    return [name, value] as const;
  });
  return JSON.stringify({ ...whole, ...Object.fromEntries(single) });
}

function parseFields(text: string): object {
  const remedy = 'give a JSON object, for example --fields \'{"number":"+442079460958"}\'';
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    throw wrongField("fields", text, remedy);
  }
  throw wrongField("fields", text, remedy);
}

function wrongField(field: string, value: string, remedy: string): WrongUse {
  return new WrongUse({ field, value, message: "these are no fields of a piece of intelligence", remedy });
}
