/**
 * A telephone switch: asks screening about calls without a pause over several
 * connections, until standard input ends. Run by `switch.ts`, which says how
 * as JSON in the first parameter; what happened so far is a line of JSON now
 * and then, and at the end.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { call, channelCredentials, channelOptions, RemoteError } from "#platform/grpc-client.ts";
import { ScreeningClient, type ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Question, SwitchPlan, SwitchReport } from "./switch.ts";

const connectionsCount = 6;
/** Each connection is asked again so long after its answer: together a question every few milliseconds. */
const pauseMs = 20;
const tellEveryMs = 200;
/** Real switches wait less; here other programs may take the processors away for seconds. */
const budgetMs = 20_000;
const attemptMs = 5_000;
/** Every connection has failed once: they are being opened again. */
const againMs = 20;
const wrongMax = 5;

const plan = JSON.parse(process.argv[2] ?? "") as SwitchPlan;
const read = (file: string) => readFileSync(file, "utf8");
const { ca, cert, key } = plan.client;
const credentials = channelCredentials({ ca: read(ca), cert: read(cert), key: read(key) });
const connections = Array.from(
  { length: connectionsCount },
  () =>
    new ScreeningClient(plan.address, credentials, {
      ...channelOptions,
      "grpc.ssl_target_name_override": plan.serverName,
      "grpc.default_authority": plan.serverName,
      // Otherwise all of them would be one connection.
      "grpc.use_local_subchannel_pool": 1,
    }),
);
const report = {
  asked: 0,
  answered: 0,
  unanswered: 0,
  slowestMs: 0,
  askedAgain: {} as Record<string, number>,
  overloaded: 0,
  wrong: [] as string[],
  byReplica: {} as Record<string, number>,
};

/** As a switch must: where nobody answers, another connection is asked, until the call has waited long enough. */
async function ask(number: number, question: Question, first: number): Promise<void> {
  const beganAtMs = performance.now();
  const leftMs = () => budgetMs - (performance.now() - beganAtMs);
  for (let attempt = 0; leftMs() > 0; attempt += 1) {
    const connection = connections[(first + attempt) % connections.length];
    if (connection === undefined) throw new Error("there is no connection");
    const request = {
      requestId: number,
      callingNumber: question.from,
      assertedNumber: "",
      calledNumber: question.to,
      trunk: question.trunk,
      chargingId: `switch-${process.pid}-${number}`,
      callId: "",
      diversionNumber: "",
      attributedTo: "",
      trial: false,
      explain: false,
      atMs: Date.now(),
    };
    const deadlineMs = Math.min(attemptMs, leftMs());
    try {
      const answer = await call(connection.screen.bind(connection), request, { deadlineMs });
      note(answer, question.verdict, performance.now() - beganAtMs);
      return;
    } catch (error) {
      if (!(error instanceof RemoteError) || !error.isOutage) throw error;
      report.askedAgain[error.code] = (report.askedAgain[error.code] ?? 0) + 1;
    }
    if (attempt >= connections.length) await sleep(againMs);
  }
  report.unanswered += 1;
}

function note(answer: ScreenResponse, verdict: string, tookMs: number): void {
  report.answered += 1;
  report.slowestMs = Math.max(report.slowestMs, Math.round(tookMs));
  // The name of an answer is <replica>-<boot id>-<counter>.
  const replica = answer.decisionId.replace(/-[0-9a-f]+-\d+$/, "");
  report.byReplica[replica] = (report.byReplica[replica] ?? 0) + 1;
  if (answer.reason === "overloaded") report.overloaded += 1;
  else if (answer.verdict !== verdict && report.wrong.length < wrongMax) {
    report.wrong.push(JSON.stringify(answer));
  }
}

const tell = () => process.stdout.write(`${JSON.stringify(report satisfies SwitchReport)}\n`);

let isEnding = false;
process.stdin.on("end", () => (isEnding = true)).resume();
const telling = setInterval(tell, tellEveryMs);
await Promise.all(
  connections.map(async (_, first) => {
    while (!isEnding) {
      const number = report.asked++;
      const question = plan.questions[number % plan.questions.length];
      if (question !== undefined) await ask(number, question, first);
      await sleep(pauseMs);
    }
  }),
);
clearInterval(telling);
tell();
for (const connection of connections) connection.close();
