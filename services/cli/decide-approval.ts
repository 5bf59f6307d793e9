import type { Command } from "commander";
import { withSession } from "./action.ts";
import { answerBatch, answerDirective } from "./answer-directive.ts";
import { planApproval } from "./approval.ts";
import { regionOption, waitOption, type GlobalOptions } from "./options.ts";
import { first } from "./people.ts";
import type { Session } from "./session.ts";
import { subjectOf, type Subject } from "./subject.ts";

interface Options {
  batch?: string;
  region?: string;
  wait?: number;
}

/** An approval given in another region takes the way through the capital. */
const approvalTravelsMs = 10_000;

/** `approve` and `reject` are one decision with two outcomes. */
export function defineDecision(command: Command, approve: boolean): void {
  command
    .argument("[id]", "id of the directive")
    .option("--batch <id>", "a batch, as one")
    .addOption(
      regionOption("another region than the directive's own: its prosecutor is the second region", false),
    );
  if (approve) command.addOption(waitOption());
  command.action(
    withSession(
      async (session: Session, options: Options & GlobalOptions, id?: string) =>
        decide(session, options, subjectOf(id, options.batch), approve),
      ({ batch }: Options, id?: string) => subjectOf(id, batch),
    ),
  );
}

async function decide(
  session: Session,
  options: Options & GlobalOptions,
  subject: Subject,
  approve: boolean,
): Promise<void> {
  const own = await session.centre(subject.region, first("operator", subject.region), "quiet");
  const before =
    subject.kind === "directive"
      ? await own.call("getDirective", { id: subject.id })
      : await own.call("getBatch", { batch: subject.batch });
  const others = session.place.regions.filter((region) => region !== subject.region);
  const plan = planApproval(before.missing, before.author, subject.region, options.region, others);
  const approver = await session.centre(options.region ?? plan.who.region, plan.who);
  const decided = await approver.call("decideApproval", {
    directive: subject.kind === "directive" ? subject.id : "",
    batch: subject.kind === "batch" ? subject.batch : "",
    approve,
    kind: session.isLoggedIn ? "" : plan.kind,
    revision: "revision" in before ? before.revision : 0,
  });
  const deed = approve ? "approved" : "rejected";
  const isOwn = (options.region ?? subject.region) === subject.region && plan.kind !== "second-region";
  if (subject.kind === "directive") {
    const { id } = subject;
    const open = (signal: AbortSignal) => own.read("watchDirective", { id }, signal);
    const view =
      (isOwn ? decided.directive : await firstChange(open, before)) ??
      (await own.call("getDirective", { id }));
    await answerDirective(own, view, options, deed);
  } else {
    const { batch } = subject;
    const open = (signal: AbortSignal) => own.read("watchBatch", { batch }, signal);
    const view =
      (isOwn ? decided.batch : await firstChange(open, before)) ?? (await own.call("getBatch", { batch }));
    await answerBatch(own, view, options, deed);
  }
}

interface Approvable {
  readonly state: string;
  readonly missing: readonly string[];
}

/** The view after another region's approval has come to the region that it is about; undefined: not within 10 s. */
async function firstChange<View extends Approvable>(
  open: (signal: AbortSignal) => AsyncIterable<View>,
  before: Approvable,
): Promise<View | undefined> {
  const signal = AbortSignal.timeout(approvalTravelsMs);
  for await (const view of open(signal)) {
    if (view.state !== before.state || view.missing.join() !== before.missing.join()) return view;
  }
  return undefined;
}
