import { readFile } from "node:fs/promises";
import { unwatchFile, watchFile } from "node:fs";
import { z } from "zod";
import { Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";

/** Far more than a key is revoked in a region's life. */
const keyChangesMax = 1_000;

/** A region as the nation's file says it; what the console page shows of it. */
const regionSchema = z.object({
  slug: z.string().regex(/^[a-z]+(-[a-z]+)*$/, "expected a slug such as west-kazakhstan"),
  iso: z.string(),
  en: z.string(),
  kk: z.string(),
  ru: z.string(),
  /** Of its centre, degrees (WGS 84). */
  lat: z.number(),
  lon: z.number(),
  /** What became of the key of its line, in the order of time; none: it is the first one. */
  keyChanges: z
    .array(z.object({ atMs: z.number().int().nonnegative(), change: z.enum(["revoked", "renewed"]) }))
    .max(keyChangesMax)
    .default([]),
});

export type NationRegion = z.output<typeof regionSchema>;

const regionsMax = 100;
const nationSchema = z.array(regionSchema).max(regionsMax);
const pollIntervalMs = 1_000;

/** The file that lists the nation cannot be used; the message names file and remedy. */
export class NationFileInvalid extends Error {
  override readonly name = "NationFileInvalid";
}

/** @throws NationFileInvalid */
export async function readNation(file: string): Promise<NationRegion[]> {
  try {
    return nationSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new NationFileInvalid(`${file} must be a JSON array of regions: ${reason}`);
  }
}

/**
 * Reads the file again whenever it changes, and hands over what it says. A
 * file that cannot be read meanwhile (it is being written) changes nothing.
 */
export async function watchNation(
  file: string,
  log: Log,
  signal: AbortSignal,
  changed: (regions: readonly NationRegion[]) => Promise<void>,
): Promise<void> {
  const wake = new Wake();
  const notify = () => wake.notify();
  watchFile(file, { interval: pollIntervalMs, persistent: false }, notify);
  try {
    let before = "";
    while (!signal.aborted) {
      const regions = await readNation(file).catch((error: unknown) => {
        log.warn({ reason: String(error) }, "the list of regions cannot be read; the one before stays");
        return undefined;
      });
      const now = JSON.stringify(regions);
      if (regions !== undefined && now !== before) {
        await changed(regions);
        before = now;
      }
      await wake.wait(60_000, signal);
    }
  } finally {
    unwatchFile(file, notify);
  }
}
