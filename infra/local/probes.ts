import { Agent, get } from "node:http";
import { loopback } from "./ports.ts";

const answerWaitMs = 2_000;
const whyLengthMax = 300;

/** Asks for readiness over HTTP; throws with the service's own words while it is not 200. */
export function httpProbe(port: number, path: string): () => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return () =>
    new Promise((resolve, reject) => {
      const request = get({ host: loopback, port, path, agent, timeout: answerWaitMs }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          if (body.length < whyLengthMax) body += chunk;
        });
        response.on("error", reject);
        response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(whyOf(body)))));
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${answerWaitMs} ms`)));
      request.on("error", reject);
    });
}

/** The field `why` of a service's answer, else the answer itself. */
function whyOf(body: string): string {
  try {
    const answer: unknown = JSON.parse(body);
    if (typeof answer === "object" && answer !== null && "why" in answer && typeof answer.why === "string") {
      return answer.why;
    }
  } catch {
    // Not JSON: shown as it came.
  }
  return body.slice(0, whyLengthMax).trim();
}
