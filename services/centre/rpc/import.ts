import { setImmediate as turn } from "node:timers/promises";
import { decideIssue, type WritingContext } from "#domain/directive.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import { Refusal } from "#domain/refusal.ts";
import { parseAction, parseScope, type Person } from "#domain/vocabulary.ts";
import type {
  ImportEntry,
  ImportProgress,
  ImportRequest,
  RefusedEntry,
} from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { importEntriesMax } from "../config.ts";
import { EntryCollector } from "../domain/import-entries.ts";
import { commandFor, type ImportWish } from "../domain/import-wish.ts";
import { readTrunkDirections } from "../store/directives.ts";
import { readProtected } from "../store/imports.ts";
import type { BatchRow } from "../store/schema.ts";
import { requireHere, writers } from "./people.ts";
import { batchOfContent, stateOfBatch, writeImport } from "./write-import.ts";

/** Entries that are read in one turn. */
const entriesPerTurn = 1_000;
/** Refused entries in one progress message. */
const refusedPerMessageMax = 5_000;

/**
 * Takes in a file of reported numbers as one batch. Nothing is written until
 * the last entry was read; then batch, directives, audit and outbox are one
 * transaction, and only after its commit the last message says `done`. An
 * import that breaks off has therefore left nothing.
 *
 * @throws InvalidInput for the header, or too many entries; Refusal `forbidden`, `exhausted`, `unavailable`
 */
export async function* importDirectives(
  centre: Centre,
  requests: AsyncIterable<ImportRequest>,
  person: Person,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress> {
  requireHere(person, centre.region, writers);
  // Said before the file is sent, and again before it is written.
  centre.room.requireFor("events", "bulk");
  const collector = new EntryCollector(importEntriesMax);
  let wish: ImportWish | undefined;
  let first: BatchRow | undefined;
  for await (const { part } of requests) {
    if (wish === undefined) {
      wish = readHeader(part);
      await checkHeader(centre, wish, person);
      first = await batchOfContent(centre.database, wish.header.contentKey);
      continue;
    }
    if (part?.$case !== "entries") throw unexpectedPart("a header comes once, and first");
    const refused = await collect(collector, part.value.entries);
    yield progress(collector, { refused, repeatedImport: first !== undefined });
  }
  if (wish === undefined) throw unexpectedPart("an import begins with its header");
  // A client that was cut off looks like one that has ended: only its signal tells.
  await turn();
  signal.throwIfAborted();
  if (first === undefined) {
    const written = await writeImport(centre, wish, collector, person);
    for (let from = 0; from < written.refused.length; from += refusedPerMessageMax) {
      yield progress(collector, { refused: written.refused.slice(from, from + refusedPerMessageMax) });
    }
    if (written.kind === "written") {
      yield progress(collector, {
        batch: written.batch,
        state: written.state,
        missing: written.missing,
        done: true,
      });
      return;
    }
    first = written.first;
  }
  const { state, missing } = stateOfBatch(first);
  const repeats = collector.merged + collector.collectedCount;
  yield {
    ...progress(collector, { batch: first.id, state, missing, done: true, repeatedImport: true }),
    accepted: 0,
    merged: repeats,
  };
}

/** One message may bring a whole file: what is urgent comes in between. @returns what is refused */
export async function collect(
  collector: EntryCollector,
  entries: readonly ImportEntry[],
): Promise<RefusedEntry[]> {
  const refused: RefusedEntry[] = [];
  for (let from = 0; from < entries.length; from += entriesPerTurn) {
    if (from > 0) await turn();
    refused.push(
      ...entries.slice(from, from + entriesPerTurn).flatMap((entry) => collector.add(entry) ?? []),
    );
  }
  return refused;
}

function progress(collector: EntryCollector, more: Partial<ImportProgress>): ImportProgress {
  return {
    batch: "",
    entries: collector.entries,
    accepted: collector.collectedCount,
    merged: collector.merged,
    refused: [],
    done: false,
    repeatedImport: false,
    state: "",
    missing: [],
    ...more,
  };
}

function readHeader(part: ImportRequest["part"]): ImportWish {
  if (part?.$case !== "header") throw unexpectedPart("an import begins with its header");
  const header = part.value;
  if (!/^[0-9a-f]{64}$/u.test(header.contentKey)) {
    throw new InvalidInput({
      code: "invalid-content-key",
      field: "content_key",
      value: header.contentKey,
      message: "is no SHA-256",
      remedy: "Give the SHA-256 of the file and of what is asked, 64 small hexadecimal digits.",
    });
  }
  return {
    header,
    action: parseAction("action", header.action),
    scope: header.scope === "" ? undefined : parseScope("scope", header.scope),
  };
}

/**
 * Tries the header on a number of no country, so that a wrong basis or end is
 * said at once and not after the whole file.
 */
async function checkHeader(centre: Centre, wish: ImportWish, person: Person): Promise<void> {
  const context: WritingContext = {
    nowMs: Date.now(),
    region: centre.region,
    person,
    uses: [],
    firstOnTargetMs: undefined,
    trunkDirection: await readTrunkDirections(centre.database),
    protectedTrunksOf: await readProtected(centre.database),
  };
  // +888 is assigned to no country (ITU-T E.164, list of country codes).
  const target = { kind: "number", number: "+88800000000" } as const;
  decideIssue(commandFor(wish, { id: "", target, batch: "trial" }), context);
}

function unexpectedPart(message: string): Refusal {
  return new Refusal({
    code: "failed-precondition",
    field: "part",
    value: "",
    message,
    remedy: "send one header, then messages with entries, then end the stream",
  });
}
