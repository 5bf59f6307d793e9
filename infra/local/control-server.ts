import { createHash } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalRunError } from "./errors.ts";
import type { Slowness } from "./passage.ts";
import type { ImpossibleFault, SiteFault, StoreCopy } from "./site-faults.ts";
import type { ProcessStatus } from "./supervised-process.ts";

/** A region's line to the capital. */
export interface LineStatus {
  readonly region: string;
  readonly cut: boolean;
  /** The region's server has a connection through it. */
  readonly connected: boolean;
  readonly slow: Slowness | null;
  /** Connections stay, and no byte arrives. */
  readonly halfOpen: boolean;
}

export interface NationStatus {
  readonly state: "starting" | "running" | "stopping";
  readonly services: readonly ProcessStatus[];
  readonly lines: readonly LineStatus[];
  /** What was done to storage and clocks, and not mended yet. */
  readonly faults: readonly SiteFault[];
  /** Copies of stores that can be put back. */
  readonly copies: readonly StoreCopy[];
  /** What this machine cannot do. */
  readonly impossible: readonly ImpossibleFault[];
}

/** What can be asked of a running nation, in this process or through its control socket. */
export interface Control {
  status(): Promise<NationStatus>;
  /** Cuts a region's line to the capital. */
  cut(region: string): Promise<void>;
  slow(region: string, slowness: Slowness): Promise<void>;
  halfOpen(region: string): Promise<void>;
  /** Mends a line, whatever was done to it. */
  heal(region: string): Promise<void>;
  /** `kill -9`; the supervisor starts it again. */
  kill(site: string, service: string): Promise<void>;
  /** SIGSTOP and SIGCONT, with all children. */
  pause(site: string, service: string): Promise<void>;
  resume(site: string, service: string): Promise<void>;
  /** Ends one service in order, and keeps it ended until `startService`. */
  stopService(site: string, service: string): Promise<void>;
  startService(site: string, service: string): Promise<void>;
  /** Leaves no byte on the disk of a process; `free` gives it its own disk back. */
  fill(site: string, service: string): Promise<void>;
  free(site: string, service: string): Promise<void>;
  /** Copies the stores of processes as they are at one moment. */
  snapshot(site: string, services: readonly string[]): Promise<void>;
  /** Puts those copies back: what was learned since is gone. */
  restore(site: string, services: readonly string[]): Promise<void>;
  /** Makes the clock of a site's Node and PostgreSQL processes wrong; 0: right. */
  skew(site: string, aheadSeconds: number): Promise<void>;
  /** Takes a region's line away from whoever has its key, at once; what it has said stays valid. */
  revoke(region: string): Promise<void>;
  /** Gives a region's line another key, at once; the one before opens nothing any more. */
  rotate(region: string): Promise<void>;
  /** Starts further regions in the running nation. */
  addRegions(regions: readonly string[]): Promise<void>;
  /** Ends the whole run; resolves when the runner has begun to. */
  stop(): Promise<void>;
}

/** Longest path of a unix socket that Linux takes, less the closing zero (unix(7)). */
const socketPathBytesMax = 107;

/** In the data folder, or where its path is too long under the system's folder for temporary files. */
export function controlSocketPath(dataFolder: string): string {
  const own = join(dataFolder, "control.sock");
  if (Buffer.byteLength(own) <= socketPathBytesMax) return own;
  const name = createHash("sha256").update(dataFolder).digest("hex").slice(0, 16);
  return join(tmpdir(), `qalqan-${name}.sock`);
}

type Action = (control: Control, target: readonly string[]) => Promise<unknown>;

const actions: Readonly<Record<string, Action>> = {
  status: (control) => control.status(),
  revoke: (control, [region = ""]) => control.revoke(region),
  rotate: (control, [region = ""]) => control.rotate(region),
  cut: (control, [region = ""]) => control.cut(region),
  heal: (control, [region = ""]) => control.heal(region),
  kill: (control, [site = "", service = ""]) => control.kill(site, service),
  pause: (control, [site = "", service = ""]) => control.pause(site, service),
  resume: (control, [site = "", service = ""]) => control.resume(site, service),
  "stop-service": (control, [site = "", service = ""]) => control.stopService(site, service),
  "start-service": (control, [site = "", service = ""]) => control.startService(site, service),
  slow: (control, [region = "", latencyMs, bytesPerSecond]) =>
    control.slow(region, { latencyMs: Number(latencyMs), bytesPerSecond: Number(bytesPerSecond) }),
  "half-open": (control, [region = ""]) => control.halfOpen(region),
  fill: (control, [site = "", service = ""]) => control.fill(site, service),
  free: (control, [site = "", service = ""]) => control.free(site, service),
  snapshot: (control, [site = "", ...services]) => control.snapshot(site, services),
  restore: (control, [site = "", ...services]) => control.restore(site, services),
  skew: (control, [site = "", aheadSeconds]) => control.skew(site, Number(aheadSeconds)),
  "add-regions": (control, regions) => control.addRegions(regions),
  stop: (control) => control.stop(),
};

/**
 * Serves a control as HTTP with JSON on a unix socket that only its owner may
 * open: `POST /<action>/<target>...`, answered by 200 with the result or by 409
 * with the error's fields.
 */
export async function serveControl(path: string, control: Control): Promise<{ close: () => Promise<void> }> {
  rmSync(path, { force: true });
  const server = createServer((request, response) => void answer(request, response, control));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  chmodSync(path, 0o600);
  return { close: () => close(server, path) };
}

/** An answer on its way, that of `stop` among them, has this long to arrive. */
const lastAnswerWaitMs = 500;

async function close(server: Server, path: string): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const force = setTimeout(() => server.closeAllConnections(), lastAnswerWaitMs);
  await closed;
  clearTimeout(force);
  rmSync(path, { force: true });
}

async function answer(request: IncomingMessage, response: ServerResponse, control: Control): Promise<void> {
  const [name = "", ...target] = (request.url ?? "/").slice(1).split("/").map(decodeURIComponent);
  const send = (status: number, body: unknown) => {
    response
      .writeHead(status, { "content-type": "application/json", connection: "close" })
      .end(JSON.stringify(body));
  };
  request.resume();
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) {
    send(404, {
      code: "wrong-state",
      field: "action",
      value: name,
      message: `no action ${name}`,
      remedy: "",
    });
    return;
  }
  try {
    send(200, (await action(control, target)) ?? {});
  } catch (error) {
    if (error instanceof LocalRunError) {
      const { code, field, value, message, remedy } = error;
      send(409, { code, field, value, message, remedy });
    } else {
      send(500, { message: error instanceof Error ? error.message : String(error) });
    }
  }
}
