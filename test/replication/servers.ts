import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  cpSync,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "nats";
import { capitalStack } from "#infra/blueprint/capital-stack.ts";
import {
  hubAccounts,
  hubConfiguration,
  leafSeedFile,
  regionConfiguration,
} from "#infra/blueprint/nats-configuration.ts";
import { secretName } from "#infra/blueprint/parts.ts";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import { loadRegions } from "#infra/blueprint/regions.ts";
import type { NatsServer, Stack } from "#infra/blueprint/stack.ts";
import { publicSigningKey, type SigningKey } from "#infra/keys/public-keys.ts";
import { Authority } from "#infra/local/authority.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { prepareIdentity } from "#infra/local/identity.ts";
import { Line } from "#infra/local/line.ts";
import { Ports } from "#infra/local/ports.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { appendAt } from "#platform/append.ts";
import { batchGet, streamRange, type CopiedMessage } from "#platform/batch-get.ts";
import type { TlsIdentity } from "#platform/config.ts";
import { createLog } from "#platform/log.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { ensureStream, hubStreamsOf, nationalStreams } from "#platform/streams.ts";
import { firstEpoch } from "#proto/names.ts";
import { Restartable } from "./processes.ts";

export { Restartable } from "./processes.ts";

const checkout = join(import.meta.dirname, "..", "..");
export const testLog = createLog("test", "test", "error");

type Service = "screening" | "centre" | "replication";

/** A hub and one region with the accounts and permissions of the blueprint, on this machine. */
export class HubAndRegion {
  readonly region: string;
  readonly folder: string;
  readonly line: Line;
  readonly hub: Restartable;
  readonly regional: Restartable;
  readonly ports: Ports;
  readonly #authority: Authority;
  readonly #secrets: Map<string, { seedFile: string; publicKey: string }>;
  readonly #identityKeys: string;
  readonly #closers: (() => Promise<unknown>)[] = [];

  private constructor(
    stack: Stack,
    folder: DataFolder,
    ports: Ports,
    authority: Authority,
    configurations: { hub: string; region: string },
    secrets: Map<string, { seedFile: string; publicKey: string }>,
  ) {
    this.region = stack.site;
    this.folder = folder.root;
    this.ports = ports;
    this.#authority = authority;
    this.#secrets = secrets;
    this.#identityKeys = prepareIdentity(folder.identity).keys;
    this.line = new Line(ports.port("line"), [ports.port("hub/leaf")]);
    this.hub = this.process("hub", () => spawn(findTool("nats-server"), ["-c", configurations.hub]));
    this.regional = this.process("region", () =>
      spawn(findTool("nats-server"), ["-c", configurations.region]),
    );
  }

  /** Makes keys, certificates and configurations, starts both servers and the line between them. */
  static async start(): Promise<HubAndRegion> {
    const folder = DataFolder.create(mkdtempSync(join(tmpdir(), "qalqan-test-")));
    const [astana] = loadRegions().filter(({ slug }) => slug === "astana");
    if (astana === undefined) throw new Error("the region of this test is missing");
    const stack = regionalStack(astana);
    const ports = new Ports(folder);
    const names = ["line", "hub/client", "hub/leaf", "hub/monitor", "region/client", "region/monitor"];
    await ports.prepare([...names, "replication/http", "screening/http", "screening/grpc", "centre/grpc"]);
    const authority = new Authority(folder.authority);
    await authority.prepare();
    const secrets = new Map<string, { seedFile: string; publicKey: string }>();
    for (const user of ["coordination", "system", "leaf", "screening", "centre", "replication", "line"]) {
      const pair = nkeys.createUser();
      const seedFile = join(folder.root, `${user}.seed`);
      writeFileSync(seedFile, pair.getSeed());
      secrets.set(user, { seedFile, publicKey: pair.getPublicKey() });
    }
    const configurations = await writeConfigurations(folder.root, stack, ports, authority, secrets);
    const started = new HubAndRegion(stack, folder, ports, authority, configurations, secrets);
    started.hub.start();
    await started.line.heal();
    started.regional.start();
    return started;
  }

  /** Registers a process of this test; it is killed at the end. */
  process(name: string, start: () => ChildProcess, isSupervised = false): Restartable {
    const restartable = new Restartable(() => {
      const child = start();
      const output = createWriteStream(join(this.folder, `${name}.log`), { flags: "a" });
      child.stdout?.pipe(output, { end: false });
      child.stderr?.pipe(output, { end: false });
      return child;
    }, isSupervised);
    this.#closers.push(() => restartable.stop("SIGKILL"));
    return restartable;
  }

  /** A service of the project as it really runs, with what the blueprint tells it and `more`. */
  async service(name: Service, more: Record<string, string> = {}): Promise<Restartable> {
    const environment = { ...(await this.environment(name)), ...more };
    const main = join(checkout, "services", name, "main.ts");
    return this.process(name, () =>
      spawn(process.execPath, [main], { env: { PATH: process.env["PATH"] ?? "", ...environment } }),
    );
  }

  async environment(name: Service): Promise<Record<string, string>> {
    const files = await this.#authority.ensure(join(this.folder, name), `${name}.${this.region}`, "workload");
    return {
      QALQAN_SERVICE: name,
      QALQAN_REGION: this.region,
      QALQAN_RELEASE: "test",
      LOG_LEVEL: "info",
      TLS_CA_FILE: files.ca,
      TLS_CERT_FILE: files.certificate,
      TLS_KEY_FILE: files.key,
      IDENTITY_KEYS_FILE: this.#identityKeys,
      HTTP_LISTEN: name === "centre" ? "127.0.0.1:1" : this.ports.address(`${name}/http`),
      NATS_URL: `tls://${this.ports.address("region/client")}`,
      NATS_SEED_FILE: this.#seedFile(name),
      ...(name === "replication"
        ? { NATS_LINE_SEED_FILE: this.#seedFile("line"), SIGNING_KEY_FILE: this.#signingKeyFile() }
        : {}),
    };
  }

  /** Certificate and key for a client or server of the test. */
  async tls(commonName: string): Promise<TlsIdentity> {
    const files = await this.#authority.ensure(join(this.folder, commonName), commonName, "workload");
    return {
      ca: readFileSync(files.ca, "utf8"),
      cert: readFileSync(files.certificate, "utf8"),
      key: readFileSync(files.key, "utf8"),
    };
  }

  /** A connection with the permissions of that user, to the server that it belongs to. */
  async connect(user: Service | "coordination" | "line"): Promise<NatsConnection> {
    const server = user === "coordination" ? "hub" : "region";
    const connection = await connectNats(
      {
        NATS_URL: `tls://${this.ports.address(`${server}/client`)}`,
        NATS_SEED_FILE: readFileSync(this.#seedFile(user), "utf8"),
      },
      await this.tls(`test.${user}`),
      `test-${user}`,
      testLog,
    );
    this.#closers.push(() => connection.close());
    return connection;
  }

  /** What coordination does at its start. */
  async createHubStreams(coordination: NatsConnection): Promise<void> {
    await until(async () => {
      const manager = await coordination.jetstreamManager();
      const streams = [
        ...nationalStreams(firstEpoch, 1),
        ...hubStreamsOf(this.region, [firstEpoch, firstEpoch + 1], firstEpoch, 1),
      ];
      for (const stream of streams) await ensureStream(manager, stream);
      return true;
    });
  }

  /** The store of the region's server is empty at its next start. */
  forgetStore(): void {
    rmSync(join(this.folder, "region-jetstream"), { recursive: true });
  }

  /**
   * Stops a server, copies its store, and starts it again: a backup.
   *
   * @returns puts that copy in place of the store, as after a disk was restored from it
   */
  async keepStore(name: "hub" | "region"): Promise<() => Promise<void>> {
    const server = name === "hub" ? this.hub : this.regional;
    const store = join(this.folder, `${name}-jetstream`);
    const copy = mkdtempSync(join(this.folder, `${name}-copy-`));
    await server.stop("SIGTERM");
    cpSync(store, copy, { recursive: true });
    server.start();
    return async () => {
      await server.stop("SIGTERM");
      rmSync(store, { recursive: true });
      cpSync(copy, store, { recursive: true });
      server.start();
    };
  }

  /** Stops the region's server, empties its disk, and starts it again. */
  async loseRegionStore(): Promise<void> {
    await this.regional.stop("SIGKILL");
    this.forgetStore();
    this.regional.start();
  }

  log(name: string): string {
    return readFileSync(join(this.folder, `${name}.log`), "utf8");
  }

  async stop(): Promise<void> {
    await this.line.cut();
    for (const close of this.#closers.reverse()) await close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The region's key for seals; its public part. */
  get signingKey(): SigningKey {
    return publicSigningKey(this.signingKeyPem);
  }
  get signingKeyPem(): string {
    return readFileSync(this.#signingKeyFile(), "utf8");
  }

  #signingKeyFile(): string {
    const file = join(this.folder, "signing-key.pem");
    if (!existsSync(file)) {
      const { privateKey } = generateKeyPairSync("ed25519");
      writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
    }
    return file;
  }

  #seedFile(user: string): string {
    const secret = this.#secrets.get(user);
    if (secret === undefined) throw new Error(`no key was made for ${user}`);
    return secret.seedFile;
  }
}

async function writeConfigurations(
  folder: string,
  stack: Stack,
  ports: Ports,
  authority: Authority,
  secrets: Map<string, { seedFile: string; publicKey: string }>,
): Promise<{ hub: string; region: string }> {
  const place = async (name: "hub" | "region", secretFile: string) => {
    const files = await authority.ensure(join(folder, `nats-${name}`), `nats.${name}`, "workload");
    return {
      listen: (port: string) => ports.address(`${name}/${port}`),
      caFile: files.ca,
      lineCaFile: files.ca,
      certificateFile: files.certificate,
      keyFile: files.key,
      storageFolder: join(folder, `${name}-jetstream`),
      // nats-server resolves an included file against the folder of the including one.
      secretFile,
    };
  };
  const publicKey = (user: string) => secrets.get(user)?.publicKey ?? "";
  const hub = join(folder, "hub.conf");
  const region = join(folder, "region.conf");
  writeFileSync(
    join(folder, "hub-accounts.conf"),
    hubAccounts({
      coordination: [publicKey("coordination")],
      system: [publicKey("system")],
      leaf: new Map([[stack.site, [publicKey("leaf")]]]),
    }),
  );
  writeFileSync(
    join(folder, "leaf.conf"),
    leafSeedFile(readFileSync(secrets.get("leaf")?.seedFile ?? "", "utf8")),
  );
  writeFileSync(hub, hubConfiguration(natsOf(capitalStack()), await place("hub", "hub-accounts.conf")));
  const users = new Map(
    (["screening", "centre", "replication", "line"] as const).map((user) => [
      secretName.natsUser(user),
      publicKey(user),
    ]),
  );
  writeFileSync(
    region,
    regionConfiguration(
      stack,
      natsOf(stack),
      await place("region", "leaf.conf"),
      ports.address("line"),
      (secret) => [users.get(secret) ?? publicKey("leaf")],
    ),
  );
  return { hub, region };
}

function natsOf(stack: Stack): NatsServer {
  for (const { program } of stack.workloads) if (program.kind === "nats") return program.server;
  throw new Error(`${stack.site} has no NATS server`);
}

/** Waits until the condition holds; errors count as "not yet". */
export async function until(condition: () => Promise<boolean> | boolean, waitMs = 60_000): Promise<void> {
  const endMs = Date.now() + waitMs;
  let last: unknown;
  while (Date.now() < endMs) {
    try {
      if (await condition()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`did not come true within ${waitMs} ms`, { cause: last });
}

/** Stores a message; a disk that others keep busy has its time. */
export const appendPatiently = (
  connection: NatsConnection,
  subject: string,
  sequence: number,
  data: Uint8Array,
): Promise<void> => appendAt(connection, subject, sequence, data, 20_000);

/** Every message of a stream in the server of the connection. */
export async function readAll(connection: NatsConnection, stream: string): Promise<CopiedMessage[]> {
  const { first, last } = await streamRange(connection, `$JS.API.STREAM.INFO.${stream}`);
  const messages: CopiedMessage[] = [];
  for (let next = Math.max(first, 1); next <= last; next = (messages.at(-1)?.sequence ?? last) + 1) {
    messages.push(...(await batchGet(connection, `$JS.API.DIRECT.GET.${stream}`, next)));
  }
  return messages;
}

/** Last sequence of a stream in the server of the connection. */
export async function lastOf(connection: NatsConnection, stream: string): Promise<number> {
  return (await streamRange(connection, `$JS.API.STREAM.INFO.${stream}`)).last;
}

/** What `/ready` of a service answers. */
export async function readiness(address: string): Promise<{ ready: boolean; why: string }> {
  return (await (await fetch(`http://${address}/ready`)).json()) as { ready: boolean; why: string };
}
