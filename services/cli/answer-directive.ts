import type { BatchView, DirectiveView, EnforcementReceipt } from "#proto/qalqan/centre/v1/centre.ts";
import {
  batchDocument,
  batchLines,
  directiveDocument,
  directiveLines,
  missingLines,
} from "./directive-view.ts";
import { endInVain, followReceipts, noteCutOff, receiptLine } from "./follow-receipts.ts";
import { answer, type OutputOptions } from "./output.ts";
import type { CentreRemote } from "./session.ts";

interface AnswerOptions extends OutputOptions {
  /** Seconds; undefined: do not wait. */
  readonly wait?: number;
}

/** What has just been done to a directive or batch: it begins the first line. */
export type Deed = "accepted" | "approved" | "rejected" | "extended" | "revoked";

/** Says what was done with a directive; with --wait, follows it until it is settled. */
export async function answerDirective(
  centre: CentreRemote,
  view: DirectiveView,
  options: AnswerOptions,
  deed: Deed,
): Promise<void> {
  const tell = (line: string) => answer(options, undefined, () => line);
  if (options.json !== true) for (const line of withDeed(deed, directiveLines(view))) tell(line);
  const last = await waitFor(
    options,
    (signal) => centre.read("watchDirective", { id: view.id }, signal),
    (next) => next.revision >= view.revision,
    view,
  );
  if (options.json === true) answer(options, directiveDocument(last), () => []);
  else endOf(last, last.id, options, view).forEach(tell);
  if (deed !== "rejected" && last.state === "rejected") process.exitCode = 1;
}

/** The same for a batch. */
export async function answerBatch(
  centre: CentreRemote,
  view: BatchView,
  options: AnswerOptions,
  deed: Deed,
): Promise<void> {
  const tell = (line: string) => answer(options, undefined, () => line);
  if (options.json !== true) for (const line of withDeed(deed, batchLines(view))) tell(line);
  const last = await followBatch(centre, view, options);
  if (options.json === true) answer(options, batchDocument(last), () => []);
  else endOf(last, `--batch ${last.batch}`, options, view).forEach(tell);
  if (deed !== "rejected" && last.state === "rejected") process.exitCode = 1;
}

/** With --wait, follows a batch until it is settled, and gives its last view. */
export async function followBatch(
  centre: CentreRemote,
  view: BatchView,
  options: AnswerOptions,
): Promise<BatchView> {
  const open = (signal: AbortSignal) => centre.read("watchBatch", { batch: view.batch }, signal);
  return waitFor(options, open, () => true, view);
}

async function waitFor<V extends DirectiveView | BatchView>(
  options: AnswerOptions,
  open: (signal: AbortSignal) => AsyncIterable<V>,
  isCurrent: (view: V) => boolean,
  begun: V,
): Promise<V> {
  const seconds = options.wait;
  if (seconds === undefined || (begun.state === "held" && !isComplete(begun))) return begun;
  const onReceipt = (receipt: EnforcementReceipt) => answer(options, undefined, () => receiptLine(receipt));
  const { view, settled } = await followReceipts(
    open,
    isCurrent,
    seconds * 1_000,
    options.json === true ? () => undefined : onReceipt,
  );
  const last = view ?? begun;
  if (settled) noteCutOff(last.receipts);
  else endInVain(last.receipts, seconds);
  return last;
}

/** Nothing is missing any more: another region has given it, and the capital's word is on its way. */
function isComplete(held: DirectiveView | BatchView): boolean {
  return held.missing.length === 0 && (!("stateReason" in held) || held.stateReason === "approval");
}

function withDeed(deed: Deed, [first = "", ...others]: readonly string[]): string[] {
  return [`${deed}: ${first}`, ...others];
}

function endOf(
  last: DirectiveView | BatchView,
  subject: string,
  options: AnswerOptions,
  begun: DirectiveView | BatchView,
): string[] {
  if (last.state === "held" && last.missing.length > 0) return missingLines(last.missing, subject);
  const changed = last.state === begun.state ? [] : [`state: ${last.state}`];
  if (options.wait === undefined) return changed;
  const enforced = last.receipts.filter(({ state }) => state === "enforced").length;
  return [...changed, `enforced in ${enforced} of ${last.receipts.length} regions`];
}
