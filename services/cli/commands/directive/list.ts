import type { Command } from "commander";
import { directiveStates } from "#domain/vocabulary.ts";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import { withSession } from "../../action.ts";
import { directiveDocument } from "../../directive-view.ts";
import { examples, regionOption, wordOption, type GlobalOptions } from "../../options.ts";
import { answer, shownTime, table } from "../../output.ts";
import { first } from "../../people.ts";
import type { Session } from "../../session.ts";

interface Options {
  region?: string;
  state?: string;
  batch?: string;
}

/** More are not listed at once: the service's own limit. */
const listedMax = 1_000;

export function define(command: Command): void {
  command
    .addOption(regionOption("that region's own; without it, the nation's", false))
    .addOption(wordOption("--state <state>", "only those in this state", directiveStates))
    .option("--batch <id>", "only the members of this batch")
    .action(withSession(run));
  examples(command, "qalqan directive list --region astana --state held", "qalqan directive list --json");
}

async function run(session: Session, options: Options & GlobalOptions): Promise<void> {
  const request = { state: options.state ?? "", batch: options.batch ?? "", limit: listedMax };
  const views: DirectiveView[] = [];
  if (options.region === undefined) {
    const coordination = await session.coordination(first("central-prosecutor", ""));
    for await (const view of coordination.read("listDirectives", request)) views.push(view);
  } else {
    const centre = await session.centre(options.region, first("operator", options.region));
    for await (const view of centre.read("listDirectives", request)) views.push(view);
  }
  answer(options, views.map(directiveDocument), () => lines(views));
}

function lines(views: readonly DirectiveView[]): string[] {
  if (views.length === 0) return ["no directives"];
  const rows = views.map((view) => {
    const enforced = view.receipts.filter(({ state }) => state === "enforced").length;
    return [
      view.id,
      view.state,
      view.action,
      view.target,
      view.scope,
      shownTime(view.expiresAtMs),
      view.receipts.length === 0 ? "-" : `${enforced} of ${view.receipts.length}`,
    ];
  });
  return table(["id", "state", "action", "target", "scope", "until", "enforced in"], rows);
}
