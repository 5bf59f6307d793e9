import { createHash } from "node:crypto";
import { loadRegions } from "#infra/blueprint/regions.ts";

type State = "in-sync" | "behind" | "cut-off" | "diverged";
const second = 1_000;
const minute = 60 * second;

/** A nation as the capital tells it: all twenty regions in sync, an ordinary hour behind them. */
export function ordinaryNation(atMs = Date.now()) {
  const digest = digestOf("ordinary");
  const regions = loadRegions().map(({ slug, iso, names, coordinates }, index) => ({
    region: slug,
    iso,
    names,
    lat: coordinates.latitude,
    lon: coordinates.longitude,
    state: "in-sync" as State,
    sequence: 48_213,
    digest,
    stalenessMs: ((index * 700) % 5_000) as number | null,
    sinceMs: atMs - 3 * 60 * minute,
    epoch: 1,
    calls: 400 + ((index * 977) % 2_600),
    intercepted: 3 + ((index * 31) % 58),
    forged: 1 + ((index * 17) % 29),
  }));
  const sum = (kind: "calls" | "intercepted" | "forged") =>
    regions.reduce((total, region) => total + region[kind], 0);
  return {
    atMs,
    epoch: 1,
    sequence: 48_213,
    digest,
    stopped: false,
    regions,
    alarms: [] as GivenAlarm[],
    lastHour: {
      calls: sum("calls") + 4_127,
      intercepted: sum("intercepted") + 41,
      forged: sum("forged") + 22,
      warned: 311,
    },
    minutes: minutesUntil(atMs),
    directives: directives(
      atMs,
      regions.map(({ region }) => region),
    ),
  };
}

interface GivenAlarm {
  readonly region: string;
  readonly code: string;
  readonly subject: string;
  readonly detail: string;
  readonly sinceMs: number;
}

export type GivenNation = ReturnType<typeof ordinaryNation>;
export type GivenRegion = GivenNation["regions"][number];

/** The capital has just been started: no region, no call, no directive. */
export function emptyNation(atMs = Date.now()): GivenNation {
  const minutes = minutesUntil(atMs).map((each) => ({ ...each, calls: 0, intercepted: 0 }));
  const lastHour = { calls: 0, intercepted: 0, forged: 0, warned: 0 };
  return {
    ...ordinaryNation(atMs),
    sequence: 0,
    digest: digestOf("empty"),
    regions: [],
    lastHour,
    minutes,
    directives: [],
  };
}

/** Some regions are cut off, one is behind, one differs, and one has never been heard. */
export function troubledNation(atMs = Date.now()): GivenNation {
  const nation = ordinaryNation(atMs);
  const change = (index: number, what: Partial<GivenRegion>) => {
    const region = nation.regions[index];
    if (region !== undefined) Object.assign(region, what);
  };
  change(2, { state: "behind", sequence: 48_190, digest: digestOf("behind"), sinceMs: atMs - 12 * second });
  change(13, {
    state: "cut-off",
    sequence: 47_901,
    digest: digestOf("old"),
    stalenessMs: 26 * minute,
    sinceMs: atMs - 26 * minute,
  });
  change(15, { state: "diverged", digest: digestOf("other"), sinceMs: atMs - 4 * second });
  change(18, {
    state: "cut-off",
    sequence: 0,
    digest: "",
    stalenessMs: null,
    sinceMs: atMs - 40 * minute,
    calls: 0,
    intercepted: 0,
    forged: 0,
  });
  for (const directive of nation.directives.slice(0, 3))
    Object.assign(directive, { enforcedIn: 18, slowestMs: null });
  return nation;
}

/** A key is revoked, a region has opened another epoch, a stream is full, and one says what this page does not know. */
export function alarmedNation(atMs = Date.now()): GivenNation {
  const nation = troubledNation(atMs);
  const [first, next] = nation.regions.map(({ region }) => region);
  const other = nation.regions[1];
  if (other !== undefined) Object.assign(other, { epoch: 2 });
  nation.alarms = [
    {
      ...{ region: "", code: "key-revoked", subject: first ?? "", sinceMs: atMs - 26 * minute },
      detail: `The key of its line is revoked. When it is safe again: npx qalqan region rotate ${first}`,
    },
    {
      ...{ region: next ?? "", code: "epoch-opened", subject: "EVENTS", sinceMs: atMs - 9 * minute },
      detail: "Storage was restored.",
    },
    {
      ...{ region: next ?? "", code: "stream-full", subject: "URGENT_2", sinceMs: atMs - minute },
      detail: "Run npx something --else now",
    },
    {
      ...{ region: first ?? "", code: "of-a-newer-release", subject: "lane", sinceMs: atMs - 5 * second },
      detail: "A sentence of the service itself.",
    },
  ];
  return nation;
}

function minutesUntil(atMs: number) {
  const last = Math.floor(atMs / minute) * minute;
  return Array.from({ length: 60 }, (_, index) => ({
    minute: last - (59 - index) * minute,
    calls: index === 59 ? 170 : Math.round(480 + 90 * Math.sin(index / 7) + ((index * 37) % 60)),
    intercepted: index === 59 ? 3 : Math.round(9 + 4 * Math.sin(index / 4) + ((index * 13) % 6)),
  }));
}

function directives(atMs: number, regions: readonly string[]) {
  const given: [string, string, string, number | null][] = [
    ["+447911123456", "block", "national", 38],
    ["+74950000000-+74959999999", "divert", "national", 112],
    ["+7717•••••00@international", "block", "national", 41],
    ["+37512340000-+37512340099", "block", "held", null],
    ["trunk:intl-2", "observe", "regional", 6],
    ["+12025550143", "warn", "revoked", 44],
    ["+380441234567", "block", "national", 35],
    ["+7701•••••67@intl-1", "allow", "national", 52],
    ["+4420700000", "warn", "expired", null],
    ["+15005550006", "warn", "rejected", null],
  ];
  return given.map(([target, action, state, slowestMs], index) => ({
    id: `example-01J${index}`,
    region: regions[(index * 7) % regions.length] ?? "",
    target,
    action,
    acceptedAtMs: atMs - (index * index * 4 + 1) * minute,
    state,
    enforcedIn: slowestMs === null ? 0 : state === "regional" ? 1 : regions.length,
    of: state === "regional" ? 1 : regions.length,
    slowestMs,
  }));
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
