import type { Command } from "commander";
import type { ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import { withSession } from "../action.ts";
import { examples, regionOption, type GlobalOptions } from "../options.ts";
import { answer, table } from "../output.ts";
import { first } from "../people.ts";
import type { Session } from "../session.ts";

interface Options {
  region: string;
  from: string;
  to: string;
  trunk: string;
  explain?: boolean;
}

export function define(command: Command): void {
  command
    .addOption(regionOption("region whose screening is asked", true))
    .requiredOption("--from <number>", 'calling number, in any dialled form; "" when it is withheld')
    .requiredOption("--to <number>", "called number, in any dialled form")
    .requiredOption("--trunk <trunk>", "trunk that the call comes in on")
    .option("--explain", "show everything that was collected about the call")
    .action(withSession(run));
  examples(
    command,
    "qalqan screen --region almaty --from 00442079460958 --to 87172123456 --trunk intl-1 --explain",
  );
}

async function run(session: Session, options: Options & GlobalOptions): Promise<void> {
  const screening = await session.screening(options.region, first("operator", options.region));
  const response = await screening.call("screen", {
    requestId: 0,
    callingNumber: options.from,
    assertedNumber: "",
    calledNumber: options.to,
    trunk: options.trunk,
    chargingId: "",
    callId: "",
    diversionNumber: "",
    attributedTo: "",
    trial: true,
    explain: options.explain ?? false,
    atMs: 0,
  });
  answer(options, documentOf(response, options.explain ?? false), () => lines(response));
}

function documentOf(response: ScreenResponse, explain: boolean) {
  return {
    verdict: response.verdict,
    reason: response.reason,
    directive: response.directive === "" ? null : response.directive,
    decision: response.decision,
    decisionId: response.decisionId,
    mode: response.mode,
    enforced: response.enforced,
    withholdCallerId: response.withholdCallerId,
    ...(explain ? { matches: response.matches } : {}),
  };
}

function lines(response: ScreenResponse): string[] {
  const { verdict, decision, reason, directive, mode, enforced, withholdCallerId, matches } = response;
  const because = directive === "" ? reason : `${reason}, ${directive}`;
  const made = enforced || verdict === decision ? `mode ${mode}` : `the rule says ${decision}; mode ${mode}`;
  const rows = matches.map((match) => [
    match.table,
    match.target,
    match.action,
    match.reason,
    match.directive,
  ]);
  return [
    `${verdict}  (${because}; ${made})`,
    ...(withholdCallerId ? ["the calling number is withheld from the called person"] : []),
    `answer ${response.decisionId}; a trial, not counted`,
    ...(rows.length === 0 ? [] : table(["table", "target", "action", "reason", "directive"], rows)),
  ];
}
