import { request } from "node:http";
import type { Control, NationStatus } from "./control-server.ts";
import { LocalRunError } from "./errors.ts";
import { readRunFile } from "./run-file.ts";

export type { Control, NationStatus } from "./control-server.ts";

/**
 * Reaches the runner of a data folder.
 *
 * @throws LocalRunError `not-running`; its methods throw what the runner
 * answered, such as `unknown-region` or `unknown-service`
 */
export function connectControl(dataFolder: string): Control {
  const { control: socketPath } = readRunFile(dataFolder);
  const ask = async (action: string, ...target: readonly string[]): Promise<unknown> =>
    post(socketPath, `/${[action, ...target].map(encodeURIComponent).join("/")}`);
  const order = async (action: string, ...target: readonly string[]): Promise<void> => {
    await ask(action, ...target);
  };
  return {
    status: async () => (await ask("status")) as NationStatus,
    revoke: (region) => order("revoke", region),
    rotate: (region) => order("rotate", region),
    cut: (region) => order("cut", region),
    heal: (region) => order("heal", region),
    kill: (site, service) => order("kill", site, service),
    pause: (site, service) => order("pause", site, service),
    resume: (site, service) => order("resume", site, service),
    stopService: (site, service) => order("stop-service", site, service),
    startService: (site, service) => order("start-service", site, service),
    slow: (region, { latencyMs, bytesPerSecond }) =>
      order("slow", region, String(latencyMs), String(bytesPerSecond)),
    halfOpen: (region) => order("half-open", region),
    fill: (site, service) => order("fill", site, service),
    free: (site, service) => order("free", site, service),
    snapshot: (site, services) => order("snapshot", site, ...services),
    restore: (site, services) => order("restore", site, ...services),
    skew: (site, aheadSeconds) => order("skew", site, String(aheadSeconds)),
    addRegions: (regions) => order("add-regions", ...regions),
    stop: () => order("stop"),
  };
}

async function post(socketPath: string, path: string): Promise<unknown> {
  const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sent = request({ socketPath, path, method: "POST", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on("error", reject);
    sent.end();
  });
  const answer = JSON.parse(body) as unknown;
  if (status === 200) return answer;
  if (status < 500) throw new LocalRunError(answer as LocalRunError);
  throw new Error(`the runner failed: ${body}`);
}
