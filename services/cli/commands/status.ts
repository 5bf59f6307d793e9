import type { Command } from "commander";
import type { NationStatus as ProcessesStatus } from "#infra/local/control.ts";
import { connectControl } from "#infra/local/control.ts";
import { withSession } from "../action.ts";
import { dataFolderOf } from "../login-file.ts";
import { isOutage } from "../failure.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer, groupDigits, note, plural, shownTime, table } from "../output.ts";
import { first } from "../people.ts";
import type { Session } from "../session.ts";

/** As `status --json` gives it. */
interface RegionLine {
  readonly region: string;
  /** in-sync | behind | cut-off | diverged */
  readonly state: string;
  /** Of NATIONAL, as the region has applied it. */
  readonly sequence: number;
  /** Of the region's national table, 64 hexadecimal digits. */
  readonly digest: string;
  /** Since the capital has heard the region (or, seen from the region, the capital); null: never. */
  readonly stalenessMs: number | null;
  /** Epoch of its lanes; 0: not known. */
  readonly epoch: number;
  readonly alarms: readonly AlarmLine[];
}

interface AlarmLine {
  /** See events.proto, Alarm. */
  readonly code: string;
  readonly subject: string;
  readonly detail: string;
  readonly sinceMs: number;
}

interface NationLines {
  readonly regions: readonly RegionLine[];
  /** Of the capital itself. */
  readonly alarms: readonly AlarmLine[];
  readonly archive: readonly ArchiveLine[];
}

/** How far one stream is archived. */
interface ArchiveLine {
  /** Slug of the region, or `capital`. */
  readonly site: string;
  /** events | urgent | national */
  readonly stream: string;
  readonly epoch: number;
  readonly last: number;
}

const askWaitMs = 3_000;

export function define(command: Command): void {
  command.action(withSession(run));
  examples(command, "qalqan status", "qalqan status --json");
}

async function run(session: Session, options: GlobalOptions): Promise<void> {
  const [{ regions, alarms, archive }, processes] = await Promise.all([
    regionLines(session),
    processesOf(options),
  ]);
  const services = (processes?.services ?? []).map(({ region, service, state }) => ({
    region,
    service,
    state,
  }));
  const faults = processes === undefined ? [] : faultLines(processes);
  answer(options, { regions, alarms, archive, services, faults }, () => [
    ...regionTable(regions),
    ...alarmLines("capital", alarms),
    ...regions.flatMap((each) => alarmLines(each.region, each.alarms)),
    ...archiveLines(archive),
    "",
    ...serviceLines(processes),
  ]);
}

function alarmLines(site: string, alarms: readonly AlarmLine[]): string[] {
  return alarms.map(({ code, subject, detail }) => `alarm of ${site}: ${code} ${subject}: ${detail}`);
}

function archiveLines(archive: readonly ArchiveLine[]): string[] {
  const begun = archive.filter(({ last }) => last > 0);
  if (begun.length === 0) return [];
  const messages = begun.reduce((sum, { last }) => sum + last, 0);
  return [`archived: ${groupDigits(messages)} messages of ${plural(begun.length, "stream")}`];
}

async function regionLines(session: Session): Promise<NationLines> {
  try {
    return await asCapitalSees(session);
  } catch (error) {
    if (!isOutage(error)) throw error;
    note("the capital is not reached: this is what each region says of itself");
    const regions = session.place.nation.map((region) => asRegionSees(session, region));
    return { regions: await Promise.all(regions), alarms: [], archive: [] };
  }
}

async function asCapitalSees(session: Session): Promise<NationLines> {
  const coordination = await session.coordination(first("central-prosecutor", ""));
  const { regions, alarms, archive } = await coordination.call("getStatus", {}, askWaitMs);
  // Right after a stop the capital has not missed it yet; the runner knows.
  const { nation, regions: running } = session.place;
  const isDown = (region: string) => nation.includes(region) && !running.includes(region);
  const known = regions.map(({ region, state, sequence, digest, stalenessMs, epoch, alarms: own }) => ({
    region,
    state: isDown(region) ? "cut-off" : state,
    sequence,
    digest: hex(digest),
    stalenessMs: stalenessMs < 0 ? null : stalenessMs,
    epoch,
    alarms: own,
  }));
  const missing = nation.filter((region) => !known.some((line) => line.region === region));
  return { regions: [...known, ...missing.map(unheard)], alarms, archive };
}

/** Without the capital nobody is in sync with it: a region is cut off, with what it enforces meanwhile. */
async function asRegionSees(session: Session, region: string): Promise<RegionLine> {
  try {
    const screening = await session.screening(region, first("operator", region));
    const { nationalSequence, digest, stalenessMs } = await screening.call("getState", {}, askWaitMs);
    return {
      region,
      state: "cut-off",
      sequence: nationalSequence,
      digest: hex(digest),
      stalenessMs: stalenessMs < 0 ? null : stalenessMs,
      epoch: 0,
      alarms: [],
    };
  } catch {
    return unheard(region);
  }
}

function unheard(region: string): RegionLine {
  return { region, state: "cut-off", sequence: 0, digest: "", stalenessMs: null, epoch: 0, alarms: [] };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Elsewhere there is no runner to ask. */
async function processesOf(options: GlobalOptions): Promise<ProcessesStatus | undefined> {
  return options.server === undefined ? connectControl(dataFolderOf(options)).status() : undefined;
}

/** A digest is compared by eye: its first digits are enough. */
const digestDigitsShown = 12;

function regionTable(regions: readonly RegionLine[]): string[] {
  const rows = regions.map(({ region, state, sequence, digest, stalenessMs }) => [
    region,
    state,
    String(sequence),
    digest.slice(0, digestDigitsShown) || "-",
    stalenessMs === null ? "-" : `${stalenessMs} ms`,
  ]);
  return table(["region", "state", "sequence", "digest", "heard"], rows);
}

function serviceLines(status: ProcessesStatus | undefined): string[] {
  if (status === undefined) return [];
  const rows = status.services.map(({ region, service, state, restarts, why }) => [
    region,
    service,
    state,
    String(restarts),
    state === "ready" ? "" : why,
  ]);
  return [...table(["region", "service", "state", "restarts", "why"], rows), ...faultLines(status)];
}

/** What was done on purpose (`qalqan local`), one line each. */
function faultLines({ lines, faults, copies }: ProcessesStatus): string[] {
  return [
    ...lines.flatMap(({ region, cut, slow, halfOpen }) => [
      ...(cut ? [`fault: the line of ${region} is cut`] : []),
      ...(halfOpen ? [`fault: the line of ${region} is half-open`] : []),
      ...(slow === null
        ? []
        : [`fault: the line of ${region} is slow: ${slow.latencyMs} ms, ${slow.bytesPerSecond} bytes/s`]),
    ]),
    ...faults.map(({ site, service, kind, detail }) =>
      ["fault:", service === "" ? site : `${site}/${service}`, kind, `(${detail})`].join(" "),
    ),
    ...copies.map(
      ({ site, service, takenAtMs }) =>
        `copy of ${site}/${service} of ${shownTime(takenAtMs)}: \`local restore\` puts it back`,
    ),
  ];
}
