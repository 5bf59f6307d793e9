import { protectedRowKey, protectedText, stopText } from "#domain/national-rows.ts";
import { Refusal } from "#domain/refusal.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { CapitalState } from "./capital-state.ts";
import type { Changes } from "./changes.ts";
import type { NationalBatchDraft } from "./national-batch.ts";

/** What a command works on: the next step of the leader. */
export interface CommandStep {
  readonly state: CapitalState;
  readonly changes: Changes;
  readonly draft: NationalBatchDraft;
}

/** An order of a central prosecutor. It throws before it changes anything, or not at all. */
export type Command<Result> = (step: CommandStep) => Result;

/** More protected numbers than the banks, state bodies and clinics of the country have. */
const protectedNumbersMax = 100_000;

/** Protects a number, or changes where it originates; the same again changes nothing. */
export function protectNumber(
  person: Person,
  number: string,
  originatesFrom: readonly string[],
  holder: string,
): Command<{ revision: number }> {
  return ({ state, changes, draft }) => {
    const before = state.protectedNumbers.get(number);
    const trunks = [...new Set(originatesFrom)].toSorted();
    if (before !== undefined && before.holder === holder && before.originatesFrom.join() === trunks.join()) {
      return { revision: before.revision };
    }
    if (before === undefined && state.protectedNumbers.size >= protectedNumbersMax) {
      throw new Refusal({
        code: "exhausted",
        field: "number",
        value: "",
        message: `${protectedNumbersMax} numbers are protected already`,
        remedy: "remove some that are not used any more",
      });
    }
    const after = { number, originatesFrom: trunks, holder, revision: draft.sequence };
    const textBefore = before === undefined ? undefined : protectedText(before);
    draft.addRow({ row: { $case: "protectedNumber", value: after } }, textBefore, protectedText(after));
    changes.protectedNumbers.push(after);
    changes.newJobs.push({ kind: "number", key: number, urgent: true });
    changes.audit.push(auditOf(person, "protect-number", { number, originatesFrom: trunks }));
    state.protectedNumbers.set(number, after);
    return { revision: draft.sequence };
  };
}

/** @throws Refusal `not-found` */
export function unprotectNumber(person: Person, number: string) {
  return ({ state, changes, draft }: CommandStep) => {
    const before = state.protectedNumbers.get(number);
    if (before === undefined) {
      throw new Refusal({
        code: "not-found",
        field: "number",
        value: number,
        message: "this number is not protected",
        remedy: "see `qalqan protect list`",
      });
    }
    const removed = { row: { $case: "removed", value: protectedRowKey(number) } } as const;
    draft.addRow(removed, protectedText(before), undefined);
    changes.unprotectedNumbers.push(number);
    changes.newJobs.push({ kind: "number", key: number, urgent: true });
    changes.audit.push(auditOf(person, "unprotect-number", { number }));
    state.protectedNumbers.delete(number);
    return { ...before, revision: draft.sequence };
  };
}

/** Throws the stop switch of the nation, or takes it back; the same again changes nothing. */
export function setStop(person: Person, stopped: boolean): Command<{ revision: number }> {
  return ({ state, changes, draft }) => {
    const before = state.stop;
    if ((before?.stopped ?? false) === stopped) return { revision: before?.revision ?? 0 };
    const after = { stopped, person: person.id, atMs: changes.nowMs, revision: draft.sequence };
    const textBefore = before === undefined ? undefined : stopText(before);
    draft.addRow({ row: { $case: "stop", value: after } }, textBefore, stopText(after));
    changes.stop = after;
    changes.audit.push(auditOf(person, stopped ? "stop" : "resume", {}));
    state.stop = after;
    return { revision: draft.sequence };
  };
}

function auditOf(person: Person, what: string, detail: object) {
  return { actor: person.id, role: person.role, region: person.region, what, detail: JSON.stringify(detail) };
}
