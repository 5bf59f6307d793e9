import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import { Authority } from "#infra/local/authority.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { lineKey, loopback, portKey, Ports } from "#infra/local/ports.ts";

/**
 * A man in the middle of one region's line, who holds certificates of the
 * nation's own authority: he ends TLS on both sides, tells each end that the
 * other does not compress, and keeps every byte in clear. He takes the place of
 * the region's line, which has to be cut.
 */
export class TappedLine implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();
  /** One stream of bytes a connection and direction. */
  readonly #streams: Buffer[][] = [];
  connections = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(dataFolder: string, region: string): Promise<TappedLine> {
    const folder = DataFolder.at(dataFolder);
    const ports = new Ports(folder);
    const base = join(folder.root, "tap", region);
    const files = await new Authority(folder.authority).ensure(base, `tap.${region}`, "workload");
    const identity = {
      ca: readFileSync(files.ca, "utf8"),
      cert: readFileSync(files.certificate, "utf8"),
      key: readFileSync(files.key, "utf8"),
      minVersion: "TLSv1.3",
    } as const;
    const server = createServer({ ...identity, requestCert: true, rejectUnauthorized: true });
    const tapped = new TappedLine(server);
    const hub = { ...identity, host: loopback, port: ports.port(portKey("capital", "nats", "leaf")) };
    server.on("secureConnection", (near) => tapped.#join(near, connect(hub)));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(ports.port(lineKey(region)), loopback, resolve);
    });
    return tapped;
  }

  /** All that crossed, in both directions. */
  get crossed(): readonly Buffer[] {
    return this.#streams.map((chunks) => Buffer.concat(chunks));
  }

  #join(near: TLSSocket, far: TLSSocket): void {
    this.connections += 1;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const kept: Buffer[] = [];
      this.#streams.push(kept);
      this.#sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        const told = kept.length === 0 ? withoutCompression(chunk) : chunk;
        kept.push(told);
        to.write(told);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The hub begins with INFO, which says that it can compress; a region that cannot answers as it is. */
function withoutCompression(first: Buffer): Buffer {
  const text = first.toString("latin1");
  return Buffer.from(text.replace(/"compression":"[a-z0-9_]+"/, '"compression":"off"'), "latin1");
}
