import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, DiscardPolicy, type NatsConnection, type StreamConfig } from "nats";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { follow } from "#platform/follow.ts";
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

  /**
   * Messages at a rate that does not follow the answers, from the leaf up to the
   * hub by a source and down to the leaf again by a mirror: how long after it was
   * acknowledged each is there (ms). Nobody decides anything on the way.
   */
  async upAndDown(messages: readonly Uint8Array[], perSecond: number): Promise<number[]> {
    await this.stream(this.leafConnection, "EVENTS", "events.>");
    await this.sourceUp("EVENTS");
    await this.mirrorDown("EVENTS_COPY");
    const stream = this.leafConnection.jetstream();
    const acknowledgedAtMs: number[] = [];
    const stop = new AbortController();
    const publish = async () => {
      const beganMs = performance.now();
      const sent: Promise<unknown>[] = [];
      for (const [index, data] of messages.entries()) {
        await sleep(Math.max(0, beganMs + (index * 1_000) / perSecond - performance.now()));
        const one = stream.publish("events.bench", data);
        sent.push(one.then(() => (acknowledgedAtMs[index] = performance.now())));
      }
      await Promise.all(sent);
    };
    const sending = publish();
    const after: number[] = [];
    for await (const { sequence } of follow(this.leafConnection, "EVENTS_COPY_COPY", 0, stop.signal)) {
      after.push(performance.now() - (acknowledgedAtMs[sequence - 1] ?? performance.now()));
      if (sequence >= messages.length) stop.abort();
    }
    await sending;
    return after;
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
