import type { BatchView, DirectiveView, EnforcementReceipt } from "#proto/qalqan/centre/v1/centre.ts";
import { isoTime, shownTime, table } from "./output.ts";

/** `directive … --json`, for one directive. What is not known is null. */
export function directiveDocument(view: DirectiveView) {
  return {
    id: view.id === "" ? null : view.id,
    revision: view.revision,
    nationalRevision: view.nationalRevision,
    scope: view.scope,
    state: view.state,
    missing: view.missing,
    target: view.target,
    action: view.action,
    batch: view.batch === "" ? null : view.batch,
    receipts: receiptDocuments(view.receipts),
    basis: view.basis,
    reason: view.reason,
    author: view.author,
    acceptedAt: isoTime(view.acceptedAtMs),
    expiresAt: isoTime(view.expiresAtMs),
    stateReason: view.stateReason === "" ? null : view.stateReason,
    story: view.story.map(({ atMs, what, person, revision, detail }) => ({
      at: isoTime(atMs),
      what,
      person,
      revision,
      detail,
    })),
  };
}

/** The same for a batch as one: it has no id of a directive, no single target. */
export function batchDocument(view: BatchView) {
  return {
    id: null,
    revision: 1,
    nationalRevision: view.nationalRevision,
    scope: "nation",
    state: view.state,
    missing: view.missing,
    target: null,
    action: view.action,
    batch: view.batch,
    receipts: receiptDocuments(view.receipts),
    directives: view.directives,
    author: view.author,
    acceptedAt: isoTime(view.acceptedAtMs),
  };
}

export function receiptDocuments(receipts: readonly EnforcementReceipt[]) {
  return receipts.map(({ region, state, enforcedAtMs, milliseconds }) => ({
    region,
    state,
    enforcedAt: isoTime(enforcedAtMs),
    milliseconds: enforcedAtMs > 0 && milliseconds >= 0 ? milliseconds : null,
  }));
}

/** What a directive is, in two or three lines. */
export function directiveLines(view: DirectiveView): string[] {
  const name = view.id === "" ? "(dry run: nothing was written)" : view.id;
  const lines = [
    `${name}  revision ${view.revision}  ${stateWords(view.state, view.stateReason)}`,
    `  ${view.action} ${view.target}, scope ${view.scope}, ${view.basis}, reason ${view.reason}`,
    `  until ${shownTime(view.expiresAtMs)}${view.batch === "" ? "" : `, batch ${view.batch}`}`,
  ];
  return view.author === "" ? lines : [...lines, `  by ${view.author}, ${shownTime(view.acceptedAtMs)}`];
}

export function batchLines(view: BatchView): string[] {
  return [
    `${view.batch}  ${stateWords(view.state, "")}`,
    `  ${view.action}, ${view.directives} directives, by ${view.author}, ${shownTime(view.acceptedAtMs)}`,
  ];
}

function stateWords(state: string, reason: string): string {
  return reason === "" ? state : `${state} (${reason})`;
}

/** The receipts as a table, regions that do not enforce yet included. */
export function receiptLines(receipts: readonly EnforcementReceipt[]): string[] {
  if (receipts.length === 0) return [];
  const rows = receipts.map((receipt) => [
    receipt.region,
    receipt.state,
    shownTime(receipt.enforcedAtMs),
    receipt.enforcedAtMs > 0 && receipt.milliseconds >= 0 ? `${receipt.milliseconds} ms` : "-",
  ]);
  const enforced = receipts.filter(({ state }) => state === "enforced").length;
  return [
    ...table(["region", "state", "enforced at", "after"], rows),
    `enforced in ${enforced} of ${receipts.length} regions`,
  ];
}

export function storyLines(view: DirectiveView): string[] {
  return view.story.map(({ atMs, what, person, revision, detail }) =>
    [`  ${shownTime(atMs)}  revision ${revision}  ${what}`, person, detail]
      .filter((part) => part !== "")
      .join("  "),
  );
}

/** Who must give what before it counts, and the command that does it. */
export function missingLines(missing: readonly string[], subject: string): string[] {
  if (missing.length === 0) return [];
  const persons = missing.includes("second-person") ? ["a second person (a prosecutor)"] : [];
  const either = [
    ...(missing.includes("carrier") ? ["the carrier"] : []),
    ...(missing.includes("second-region") ? ["a prosecutor of a second region"] : []),
  ].join(" or ");
  const known = [...persons, ...(either === "" ? [] : [either])];
  const words = known.length === 0 ? missing : known;
  const command = `npx qalqan directive approve ${subject}`;
  const region =
    missing.includes("second-region") && !missing.includes("carrier") ? " --region OTHER-REGION" : "";
  return [`held: it must be approved by ${words.join(", and by ")}`, `  ${command}${region}`];
}
