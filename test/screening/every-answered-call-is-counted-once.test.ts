import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RemoteError } from "#platform/grpc-client.ts";
import { ScreenRequest, type ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import { until } from "#test/replication/servers.ts";
import { DiskWatch } from "./disk-watch.ts";
import { answeredKeys, countedQuestions, entry, ScreenedRegion } from "./screening-service.ts";

let region: ScreenedRegion;

beforeEach(async () => {
  region = await ScreenedRegion.start();
  await region.startScreening();
});

afterEach(async () => {
  await region.stop();
});

/** Asks about many calls at a rate, and notes each answer with its time; ends when the stream does. */
function ask(callsPerSecond: number, signal: AbortSignal) {
  const stream = region.stream();
  const answered: { response: ScreenResponse; atMs: number }[] = [];
  stream.on("data", (response: ScreenResponse) => answered.push({ response, atMs: Date.now() }));
  let asked = 0;
  const timer = setInterval(() => {
    for (let call = 0; call < callsPerSecond / 100; call += 1) {
      asked += 1;
      const callId = `call-${asked}`;
      const calledNumber = `+770100${String(asked).padStart(5, "0")}`;
      stream.write(
        ScreenRequest.fromPartial({
          requestId: asked,
          callingNumber: "+442079460111",
          calledNumber,
          trunk: "intl-1",
          callId,
        }),
      );
    }
  }, 10);
  const ended = new Promise<void>((resolve) => {
    stream.on("error", () => resolve());
    stream.on("end", () => resolve());
  }).finally(() => clearInterval(timer));
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    stream.end();
  });
  return { answered, ended };
}

test("at SIGTERM nothing that was answered is missing, neither in counters nor in LOCAL, and nothing is doubled", async () => {
  await region.publish({ rows: [entry("+442079460111", "block", "almaty-1")] });
  await region.untilApplied(1);
  const { answered, ended } = ask(1_000, new AbortController().signal);
  await until(() => answered.length > 2_500);
  expect(await region.screening.stop("SIGTERM")).toBe(0);
  await ended;

  const { counters } = await region.written();
  expect(countedQuestions(counters)).toBe(answered.length);
  const keys = answeredKeys(counters);
  expect(new Set(keys).size).toBe(answered.length);
  expect(keys).toHaveLength(answered.length);
  const stopped = counters.flatMap(({ calls }) => calls).filter(({ verdict }) => verdict === "block");
  expect(stopped.length).toBeGreaterThan(0);
  expect(stopped.every((call) => call.firstOfPairToday)).toBe(true);
  const ids = (await region.calls()).map(({ decisionId }) => decisionId).sort();
  expect(ids).toEqual(answered.map(({ response }) => response.decisionId).sort());
  expect(region.nation.log("screening")).not.toMatch(/\+?\d{10,15}"/);
});

test("after kills of screening and of the region's server at most the last flush is missing, and nothing is doubled", async () => {
  let answeredCount = 0;
  let lateCount = 0;
  for (const kill of ["screening", "server", "screening"]) {
    const stop = new AbortController();
    const disk = new DiskWatch(join(region.nation.folder, "disk-watch"));
    const { answered, ended } = ask(300, stop.signal);
    await until(() => answered.length > 1_000);
    const killedAtMs = Date.now();
    if (kill === "screening") await region.screening.killAndRestart();
    else {
      await region.nation.regional.killAndRestart();
      stop.abort();
    }
    await ended;
    answeredCount += answered.length;
    // The flush that was on its way: 100 ms, and the time of its append, which may wait for the one before.
    const lateMs = 200 + 2 * (await disk.end());
    if (kill === "screening") lateCount += answered.filter(({ atMs }) => atMs > killedAtMs - lateMs).length;
    await region.untilReady();
    // A kill while its server is away loses more than one flush: that is another fault than this one.
    if (kill === "server")
      await until(
        async () =>
          (await region.calls()).length >= answeredCount - lateCount &&
          countedQuestions((await region.written()).counters) >= answeredCount - lateCount,
      );
  }
  await region.screening.stop("SIGTERM");
  const { counters } = await region.written();
  expect(countedQuestions(counters)).toBeLessThanOrEqual(answeredCount);
  expect(countedQuestions(counters)).toBeGreaterThanOrEqual(answeredCount - lateCount);
  const ids = (await region.calls()).map(({ decisionId }) => decisionId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBeGreaterThanOrEqual(answeredCount - lateCount);
  const flushes = counters.map(({ source, flush }) => `${source} ${flush}`);
  expect(new Set(flushes).size).toBe(flushes.length);
});

test("a call is attributed, joined and named as the switch told it; redials of a pair are the first once", async () => {
  await region.publish({ rows: [entry("+442079460111", "block", "almaty-1")] });
  await region.untilApplied(1);
  const question = {
    callingNumber: "+442079460111",
    attributedTo: "almaty",
    chargingId: "icid-1",
    callId: "call-1",
  };
  const first = await region.screen(question);
  await region.screen({ ...question, chargingId: "icid-2" });
  await region.screen({ ...question, attributedTo: "not a region!", chargingId: "", callId: "" });
  await until(async () => (await region.calls()).length === 3);
  const [record] = await region.calls();
  expect(record).toMatchObject({
    ...{ decisionId: first.decisionId, callKey: "icid-1", callingNumber: "+442079460111", verdict: "block" },
    ...{ attributedTo: "almaty", screenedBy: region.nation.region, handledBy: "", directive: "almaty-1" },
  });
  await until(async () => answeredKeys((await region.written()).counters).length === 3);
  const answered = (await region.written()).counters.flatMap(({ calls }) => calls);
  expect(answered.map(({ firstOfPairToday }) => firstOfPairToday)).toEqual([true, false, false]);
  expect(answered.map(({ attributedTo }) => attributedTo)).toEqual(["almaty", "almaty", ""]);
  expect(answered.map(({ fallbackKey }) => fallbackKey)).toEqual([false, false, true]);
});

test("withheld and garbled numbers are answered; a question without called number or trunk names the field", async () => {
  for (const callingNumber of ["", "anonymous", "???", "sip:\u0000@x", "9".repeat(5_000)]) {
    expect((await region.screen({ callingNumber })).verdict).toBe("allow");
  }
  const field = async (question: Partial<ScreenRequest>) => {
    try {
      await region.screen(question);
      return "";
    } catch (error) {
      return error instanceof RemoteError ? `${error.code} ${error.field}` : String(error);
    }
  };
  expect(await field({ calledNumber: "" })).toBe("missing called_number");
  expect(await field({ trunk: " " })).toBe("missing trunk");
});

test("a trial is answered and explained, and leaves no trace; an unusable question on a stream does not end it", async () => {
  await region.publish({ rows: [entry("+442079460111", "block", "almaty-1")] });
  await region.untilApplied(1);
  const trial = await region.screen({ callingNumber: "+442079460111", trial: true, explain: true });
  expect(trial.matches).toMatchObject([
    { target: "+442079460111", directive: "almaty-1", table: "national" },
  ]);

  const stream = region.stream();
  const answers: ScreenResponse[] = [];
  stream.on("data", (response: ScreenResponse) => answers.push(response));
  stream.write(ScreenRequest.fromPartial({ requestId: 1, callingNumber: "+442079460111", trunk: "intl-1" }));
  stream.write(
    ScreenRequest.fromPartial({
      requestId: 2,
      calledNumber: "112",
      callingNumber: "+442079460111",
      trunk: "intl-1",
    }),
  );
  await until(() => answers.length === 2);
  stream.end();
  expect(answers).toMatchObject([
    { requestId: 1, verdict: "allow", reason: "invalid-question" },
    { requestId: 2, verdict: "allow", reason: "emergency" },
  ]);
  await until(async () => (await region.calls()).length === 2);
  expect((await region.calls()).map(({ reason }) => reason)).toEqual(["invalid-question", "emergency"]);
  await until(async () => countedQuestions((await region.written()).counters) === 2);
});

test("calls that a kill took while the region's server was away are counted by the next start", async () => {
  await region.screen({ callId: "call-0" });
  await until(async () => (await region.calls()).length === 1);
  await until(async () => countedQuestions((await region.written()).counters) === 1);
  // That they are stored is not known to screening yet.
  await new Promise((resolve) => setTimeout(resolve, 500));
  await region.nation.regional.stop("SIGKILL");
  for (let call = 1; call <= 5; call += 1) await region.screen({ callId: `call-${call}` });
  const late = join(region.nation.folder, "state", "late-calls.json");
  await until(() => existsSync(late) && readFileSync(late, "utf8") === '{"calls":5,"counted":5}');
  await region.screening.killAndRestart();
  await until(() =>
    /"event":"calls-lost-by-kill","calls":5,"counted":5/.test(region.nation.log("screening")),
  );
  region.nation.regional.start();
  await region.untilReady();
  // What was written before the next stop is not named again.
  await region.screening.stop("SIGTERM");
  await region.startScreening();
  expect(region.nation.log("screening").match(/calls-lost-by-kill/g)).toHaveLength(1);
});
