import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { actions, scopes } from "#domain/vocabulary.ts";
import type { IssueDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import { withSession } from "../../action.ts";
import { answerDirective } from "../../answer-directive.ts";
import { chooseAuthor } from "../../choose-author.ts";
import { directiveDocument, directiveLines, missingLines } from "../../directive-view.ts";
import { parseCount, parseEnd } from "../../durations.ts";
import { examples, regionOption, waitOption, wordOption, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { first } from "../../people.ts";
import type { Session } from "../../session.ts";

interface Options {
  region: string;
  number?: string;
  range?: string;
  trunk?: string;
  action: string;
  basis: string;
  reason: string;
  expires: string;
  scope?: string;
  override?: string;
  dryRun?: boolean;
  wait?: number;
}

/** Catalogue codes are listed by `directive bases` and `directive reasons`. */
const defaultBasis = "communications-law-41-1";

export function define(command: Command): void {
  command
    .addOption(regionOption("region that decides", true))
    .option("--number <number>", "a number, in any dialled form")
    .option("--range <range>", "A-B, or a prefix such as +4420*")
    .option(
      "--trunk <trunk>",
      "a trunk; with --number: that number on this trunk, or on `international` ones",
    )
    .addOption(
      wordOption("--action <action>", "what happens to the calls", actions).makeOptionMandatory(true),
    )
    .option("--basis <code>", "legal basis (see `directive bases`)", defaultBasis)
    .requiredOption("--reason <code>", "reason code (see `directive reasons`)")
    .requiredOption("--expires <end>", "30m, 24h, 7d, or a time (ISO 8601)")
    .addOption(wordOption("--scope <scope>", "default: the widest that the person may decide alone", scopes))
    .option("--override <revision>", "prosecutor: replaces what the nation decided at this national revision")
    .option("--dry-run", "check everything, write nothing")
    .addOption(waitOption())
    .action(withSession(run, requestOf));
  examples(
    command,
    "qalqan directive issue --region astana --number +442079460958 --action block --reason fraud --expires 7d --wait",
    "qalqan directive issue --region almaty --number 87011234567 --trunk international --action divert --reason spoofing --expires 24h",
    "qalqan directive issue --region astana --range +4420794600* --action warn --reason fraud --expires 3d --dry-run --json",
  );
}

async function run(session: Session, options: Options & GlobalOptions): Promise<void> {
  const request = requestOf(options);
  const who = session.isLoggedIn
    ? first("operator", options.region)
    : await chooseAuthor(session, options.region, request);
  const centre = await session.centre(options.region, who);
  const view = await centre.call("issueDirective", request);
  if (options.dryRun === true)
    answer(options, directiveDocument(view), () => [
      ...directiveLines(view),
      ...missingLines(view.missing, "ID"),
    ]);
  else await answerDirective(centre, view, options, "accepted");
}

function requestOf(options: Options): IssueDirectiveRequest {
  return {
    number: options.number ?? "",
    range: options.range ?? "",
    trunk: options.trunk ?? "",
    action: options.action,
    basis: options.basis,
    reason: options.reason,
    expiresAtMs: parseEnd("expires", options.expires, Date.now()),
    scope: options.scope ?? "",
    overrideRevision:
      options.override === undefined
        ? 0
        : parseCount("override", options.override, 1, Number.MAX_SAFE_INTEGER),
    evidence: [],
    falseStopOf: "",
    dryRun: options.dryRun ?? false,
    idempotencyKey: randomUUID(),
  };
}
