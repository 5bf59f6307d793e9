import type { Command } from "commander";
import type { IntelligenceView } from "#proto/qalqan/centre/v1/centre.ts";
import { withSession } from "../../action.ts";
import { intelligenceDocument, shownFields } from "../../intelligence-view.ts";
import { examples, regionOption, type GlobalOptions } from "../../options.ts";
import { answer, table } from "../../output.ts";
import { first } from "../../people.ts";
import type { Session } from "../../session.ts";

interface Options {
  region: string;
  kind?: string;
  search?: string;
  withdrawn?: boolean;
}

const listedMax = 1_000;
const fieldsShownCharacters = 48;

export function define(command: Command): void {
  command
    .addOption(regionOption("region whose copy is read", true))
    .option("--kind <kind>", "only this kind")
    .option("--search <words>", "only pieces with these words")
    .option("--withdrawn", "withdrawn ones too")
    .action(withSession(run));
  examples(command, "qalqan intelligence list --region mangystau --kind number --json");
}

async function run(session: Session, options: Options & GlobalOptions): Promise<void> {
  const centre = await session.centre(options.region, first("operator", options.region));
  const views: IntelligenceView[] = [];
  const request = {
    kind: options.kind ?? "",
    search: options.search ?? "",
    limit: listedMax,
    withWithdrawn: options.withdrawn ?? false,
  };
  for await (const view of centre.read("listIntelligence", request)) views.push(view);
  answer(options, views.map(intelligenceDocument), () => lines(views));
}

function lines(views: readonly IntelligenceView[]): string[] {
  if (views.length === 0) return ["no intelligence"];
  const rows = views
    .map(intelligenceDocument)
    .map(({ id, kind, audience, tlp, confidence, withdrawn, fields }) => {
      const shown = shownFields(fields);
      const short =
        shown.length > fieldsShownCharacters ? `${shown.slice(0, fieldsShownCharacters - 1)}…` : shown;
      return [id, kind, audience, tlp, String(confidence), withdrawn ? "yes" : "no", short];
    });
  return table(["id", "kind", "audience", "tlp", "confidence", "withdrawn", "fields"], rows);
}
