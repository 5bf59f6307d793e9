import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect, DiscardPolicy, type NatsConnection, type StreamConfig } from "nats";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { Restartable, until } from "#test/replication/servers.ts";

/**
 * Two servers with the settings of ours (fsync on each message) and without
 * what costs us time: TLS, accounts, permissions. Between them NATS's own
 * mirrors and sources do what our replication does.
 */
export class PeerServers implements AsyncDisposable {
  readonly #folder: string;
  readonly hub: Restartable;
  readonly hubLeafPort: number;
  readonly #leaf: Restartable;
  readonly hubConnection: NatsConnection;
  readonly leafConnection: NatsConnection;

  private constructor(
    folder: string,
    ports: Ports,
    hub: Restartable,
    leaf: Restartable,
    ends: [NatsConnection, NatsConnection],
  ) {
    this.#folder = folder;
    this.hub = hub;
    this.hubLeafPort = ports.port("hub/leaf");
    this.#leaf = leaf;
    [this.hubConnection, this.leafConnection] = ends;
  }

  static async start(): Promise<PeerServers> {
    const folder = DataFolder.create(mkdtempSync(path.join(tmpdir(), "qalqan-peer-")));
    const ports = new Ports(folder);
    await ports.prepare(["hub/client", "hub/leaf", "leaf/client"]);
    const jetstream = (name: string) =>
      `jetstream { store_dir: "${path.join(folder.root, name)}", domain: ${name}, sync_interval: always }`;
    const start = (name: string, more: string) => {
      const file = path.join(folder.root, `${name}.conf`);
      const listen = `listen: "${ports.address(`${name}/client`)}"`;
      writeFileSync(file, [`server_name: ${name}`, listen, jetstream(name), more].join("\n"));
      const server = new Restartable((): ChildProcess =>
        spawn(findTool("nats-server"), ["-c", file], { stdio: "ignore" }),
      );
      server.start();
      return server;
    };
    const hub = start("hub", `leafnodes { listen: "${ports.address("hub/leaf")}" }`);
    const remote = `remotes: [ { urls: ["nats://${ports.address("hub/leaf")}"] } ]`;
    const leaf = start("leaf", `leafnodes { reconnect: "1s", ${remote} }`);
    const reach = (name: string) =>
      connect({
        servers: ports.address(`${name}/client`),
        ...{ waitOnFirstConnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 50 },
      });
    return new PeerServers(folder.root, ports, hub, leaf, [await reach("hub"), await reach("leaf")]);
  }

  /** A stream at one end. */
  async stream(end: NatsConnection, name: string, subject: string): Promise<void> {
    await until(async () => {
      const manager = await end.jetstreamManager();
      const settings: Partial<StreamConfig> & { name: string; allow_atomic: boolean } = {
        ...{ name, subjects: [subject], discard: DiscardPolicy.New },
        allow_atomic: true,
      };
      await manager.streams.add(settings);
      return true;
    });
  }

  /** The hub's stream, mirrored at the leaf. */
  async mirrorDown(name: string): Promise<void> {
    const manager = await this.leafConnection.jetstreamManager();
    await manager.streams.add({ name: `${name}_COPY`, mirror: { name, domain: "hub" } });
  }

  /** The leaf's stream, sourced into one of the hub. */
  async sourceUp(name: string): Promise<void> {
    const manager = await this.hubConnection.jetstreamManager();
    await manager.streams.add({ name: `${name}_COPY`, sources: [{ name, domain: "leaf" }] });
  }

  /** Milliseconds until a copy holds so many messages. */
  async untilCopied(end: NatsConnection, name: string, messages: number, waitMs: number): Promise<number> {
    const began = performance.now();
    await until(async () => (await messagesOf(end, `${name}_COPY`)) >= messages, waitMs);
    return performance.now() - began;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hubConnection.close();
    await this.leafConnection.close();
    await this.#leaf.stop("SIGKILL");
    await this.hub.stop("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function messagesOf(end: NatsConnection, stream: string): Promise<number> {
  const manager = await end.jetstreamManager({ checkAPI: false });
  return (await manager.streams.info(stream)).state.messages;
}
