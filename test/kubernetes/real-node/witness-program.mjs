/** Tells over HTTP what a pod sees of itself and of others; its answers are JSON. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { hostname } from "node:os";

const askWaitMs = 2_000;
const notes = "/data/notes";

function status(field) {
  return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1];
}

function refusal(attempt) {
  try {
    attempt();
    return "";
  } catch (error) {
    return error.code;
  }
}

const answers = {
  "/ready": () => "ready",
  "/name": () => hostname(),
  "/rights": () => ({
    user: process.getuid(),
    group: process.getgid(),
    capabilities: status("CapEff"),
    seccomp: status("Seccomp"),
    noNewPrivileges: status("NoNewPrivs"),
    writesRoot: refusal(() => writeFileSync("/written", "")),
  }),
  "/note": (text) => {
    writeFileSync(notes, `${text}\n`, { flag: "a", flush: true });
    return "noted";
  },
  "/notes": () => readFileSync(notes, "utf8").trim().split("\n"),
  "/ask": async (url) => {
    const answer = await fetch(url, { signal: AbortSignal.timeout(askWaitMs) });
    return answer.json();
  },
};

async function respond(request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://witness");
  console.log(`${request.method} ${request.url}`);
  try {
    response.end(JSON.stringify(await answers[pathname](searchParams.get("of"))));
  } catch (error) {
    response.writeHead(500).end(JSON.stringify({ error: error.cause?.code ?? error.name }));
  }
}

createServer((request, response) => void respond(request, response)).listen(Number(process.env.PORT));
