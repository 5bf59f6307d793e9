import type {
  ImportEntry,
  ImportHeader,
  ImportProgress,
  ImportRequest,
} from "#proto/qalqan/centre/v1/centre.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import { remoteErrorOf } from "#platform/grpc-client.ts";
import { dialledForm, type ReportedEntry, type ReportFormat } from "./reported-numbers.ts";
import type { CentreRemote } from "./session.ts";

/** An entry that was not taken. */
export interface Refused {
  readonly index: number;
  /** As it stands in the file. */
  readonly number: string;
  /** A code: `invalid-number` … */
  readonly reason: string;
}

export interface ImportOutcome {
  readonly last: ImportProgress;
  /** Here and by the centre, in the order of the file. */
  readonly refused: readonly Refused[];
  /** Entries that were refused here, and so are not in the centre's counts. */
  readonly refusedHere: number;
}

const entriesAtOnce = 1_000;

/**
 * Sends a file's entries as one batch, as fast as the centre takes them. An
 * error on either side ends the call: then nothing was imported.
 *
 * @throws RemoteError, CommandFailed `invalid-file`
 */
export async function sendImport(
  centre: CentreRemote,
  header: ImportHeader,
  format: ReportFormat,
  entries: AsyncIterable<ReportedEntry>,
): Promise<ImportOutcome> {
  const stream = centre.client.import(centre.metadata);
  const refused = new Map<number, Refused>();
  let last: ImportProgress | undefined;
  let refusedHere = 0;
  const ended = new Promise<void>((resolve, reject) => {
    stream.on("data", (progress: ImportProgress) => {
      last = progress;
      for (const { index, reason, number } of progress.refused) refused.set(index, { index, reason, number });
    });
    stream.on("end", resolve);
    stream.on("error", (error) => reject("metadata" in error ? remoteErrorOf(error as never) : error));
  });
  const write = async (request: ImportRequest): Promise<void> => {
    if (!stream.write(request)) await Promise.race([drained(stream), ended]);
  };
  try {
    await write({ part: { $case: "header", value: header } });
    let batch: ImportEntry[] = [];
    for await (const { index, number } of entries) {
      try {
        batch.push({ index, number: dialledForm(format, number) });
      } catch (error) {
        if (!(error instanceof InvalidInput)) throw error;
        refused.set(index, { index, reason: error.code, number });
        refusedHere += 1;
      }
      if (batch.length < entriesAtOnce) continue;
      await write({ part: { $case: "entries", value: { entries: batch } } });
      batch = [];
    }
    if (batch.length > 0) await write({ part: { $case: "entries", value: { entries: batch } } });
    stream.end();
    await ended;
  } catch (error) {
    stream.cancel();
    // The call was ended by us: its own error says nothing more.
    ended.catch(() => undefined);
    throw error;
  }
  if (last?.done !== true) throw new Error("the centre ended the import without saying that it is done");
  return {
    last,
    refused: [...refused.values()].sort((left, right) => left.index - right.index),
    refusedHere,
  };
}

async function drained(stream: { once(event: "drain", listener: () => void): unknown }): Promise<void> {
  await new Promise<void>((resolve) => void stream.once("drain", resolve));
}
