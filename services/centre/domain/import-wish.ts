import type { IssueCommand } from "#domain/directive.ts";
import type { Action, Scope } from "#domain/vocabulary.ts";
import type { ImportHeader } from "#proto/qalqan/centre/v1/centre.ts";

/** What is the same for every entry of an import. */
export interface ImportWish {
  readonly header: ImportHeader;
  readonly action: Action;
  readonly scope: Scope | undefined;
}

/** The directive that an entry would become. */
export function commandFor(
  wish: ImportWish,
  of: Pick<IssueCommand, "id" | "target" | "batch">,
): IssueCommand {
  const { basis, reason, expiresAtMs } = wish.header;
  const { action, scope } = wish;
  return {
    ...of,
    action,
    scope,
    basis,
    reason,
    expiresAtMs,
    overrideRevision: 0,
    evidence: [],
    falseStopOf: "",
  };
}
