import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { randomInt } from "node:crypto";
import type { Stack } from "../blueprint/stack.ts";
import { writeWhole, type DataFolder } from "./data-folder.ts";
import { LocalRunError, systemCode } from "./errors.ts";
import { instancesOf } from "./instances.ts";

/** All of the local run listens here. */
export const loopback = "127.0.0.1";

/**
 * Below the range from which Linux takes the ports of outgoing connections:
 * one of those could otherwise hold a service's port while it restarts. Above
 * 10080, the last port that browsers refuse (WHATWG Fetch, "bad port").
 */
const portMin = 10_081;
const portMax = 31_999;

/**
 * Two who choose at once may choose alike: `QALQAN_PORTS` gives each a part of the range.
 *
 * @throws LocalRunError `invalid-ports`
 */
function rangeOf(text = `${portMin}-${portMax}`): readonly [min: number, max: number] {
  const [, min, max] = (/^(\d{5})-(\d{5})$/.exec(text) ?? []).map(Number);
  if (min !== undefined && max !== undefined && min >= portMin && min < max && max <= portMax)
    return [min, max];
  throw new LocalRunError({
    code: "invalid-ports",
    field: "QALQAN_PORTS",
    value: text,
    message: `QALQAN_PORTS is ${text}, and not two ports of ${portMin}-${portMax}`,
    remedy: "give it a part of that range, as 20000-20999, or leave it out",
  });
}

/** `<site>/<process>/<port>`, or `<site>/line` for the near end of a region's line to the hub. */
export type PortKey = string;
export const portKey = (site: string, process: string, port: string): PortKey => `${site}/${process}/${port}`;
export const lineKey = (site: string): PortKey => `${site}/line`;

/** Every port that a stack needs on this machine. */
export function portKeys(stack: Stack, hubNodes: number): readonly PortKey[] {
  const keys = stack.workloads.flatMap((workload) =>
    instancesOf(workload, hubNodes).flatMap(({ name }) =>
      workload.ports.map((port) => portKey(stack.site, name, port.name)),
    ),
  );
  return stack.arrows.some(({ to }) => to.site !== undefined) ? [...keys, lineKey(stack.site)] : keys;
}

/** The ports of a data folder: chosen once, then always the same. */
export class Ports {
  readonly #file: string;
  readonly #ports: Map<PortKey, number>;

  constructor(folder: DataFolder) {
    this.#file = folder.portsFile;
    this.#ports = new Map(
      existsSync(this.#file)
        ? Object.entries(JSON.parse(readFileSync(this.#file, "utf8")) as Record<PortKey, number>)
        : [],
    );
  }

  /** @throws RangeError for a key that was never prepared */
  port(key: PortKey): number {
    const port = this.#ports.get(key);
    if (port === undefined) throw new RangeError(`no port was chosen for ${key}`);
    return port;
  }

  address(key: PortKey): string {
    return `${loopback}:${this.port(key)}`;
  }

  /**
   * Chooses a free port for each new key, and sees that those chosen before
   * are free now.
   *
   * @throws LocalRunError `invalid-ports`; `port-taken` naming the port, whose it is, and who has it
   */
  async prepare(keys: readonly PortKey[]): Promise<void> {
    const known = keys.filter((key) => this.#ports.has(key));
    await Promise.all(known.map(async (key) => requireFree(key, this.port(key), this.#file)));
    const taken = new Set(this.#ports.values());
    const [min, max] = rangeOf(process.env["QALQAN_PORTS"]);
    let candidate = randomInt(min, max);
    for (const key of keys) {
      if (this.#ports.has(key)) continue;
      while (taken.has(candidate) || !(await isFree(candidate))) {
        candidate = candidate >= max ? min : candidate + 1;
      }
      taken.add(candidate);
      this.#ports.set(key, candidate);
    }
    if (known.length < keys.length)
      writeWhole(this.#file, JSON.stringify(Object.fromEntries(this.#ports), undefined, 2));
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error) => (systemCode(error) === "EADDRINUSE" ? resolve(false) : reject(error)));
    server.listen(port, loopback, () => server.close(() => resolve(true)));
  });
}

async function requireFree(key: PortKey, port: number, portsFile: string): Promise<void> {
  if (await isFree(port)) return;
  const holder = holderOf(port);
  throw new LocalRunError({
    code: "port-taken",
    field: key,
    value: String(port),
    message: `port ${port} of ${key} is taken${holder === undefined ? "" : ` by ${holder}`}`,
    remedy: `end that process, or delete ${portsFile}, so that other ports are chosen`,
  });
}

/** `process 123 (name)`, where Linux lets us see it. */
function holderOf(port: number): string | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    if (!existsSync(table)) continue;
    for (const line of readFileSync(table, "utf8").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      // State 0A is "listening" (proc_net_tcp).
      if (fields[1]?.endsWith(`:${hex}`) === true && fields[3] === "0A")
        inodes.add(`socket:[${fields[9] ?? ""}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (hasDescriptor(pid, inodes))
      return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, "utf8").trim()})`;
  }
  return undefined;
}

function hasDescriptor(pid: string, targets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return targets.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
