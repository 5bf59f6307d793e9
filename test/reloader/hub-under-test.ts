import { spawn } from "node:child_process";
import {
  closeSync,
  openSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
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
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import { loadRegions } from "#infra/blueprint/regions.ts";
import type { NatsServer, Stack } from "#infra/blueprint/stack.ts";
import { Authority } from "#infra/local/authority.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { StolenLine, type StolenCredentials } from "#test/attacks/stolen-line.ts";
import { readiness, Restartable } from "#test/replication/servers.ts";

const checkout = join(import.meta.dirname, "..", "..");

/** A region's leaf node as the hub sees it. */
interface Leaf {
  readonly id: number;
  readonly account: string;
}

interface Region {
  readonly stack: Stack;
  readonly authority: Authority;
  leafKey: string;
  readonly credentials: StolenCredentials;
  readonly server: Restartable;
}

/**
 * One node of the hub with its reloader, as they are in one pod: accounts and
 * authorities come from a mounted folder that is replaced behind a link. Every
 * site has an authority of its own, as on clusters.
 */
export class HubUnderTest {
  readonly folder: string;
  readonly hub: Restartable;
  readonly reloader: Restartable;
  readonly #ports: Ports;
  readonly #capital: Authority;
  readonly #keys: { readonly coordination: string; readonly system: string };
  readonly #running: Restartable[] = [];
  readonly #regions = new Map<string, Region>();
  #generation = 0;

  private constructor(
    folder: string,
    ports: Ports,
    capital: Authority,
    keys: { coordination: string; system: string },
    reloaderEnvironment: Record<string, string>,
  ) {
    this.folder = folder;
    this.#ports = ports;
    this.#capital = capital;
    this.#keys = keys;
    this.hub = this.#process("hub", findTool("nats-server"), ["-c", join(folder, "hub.conf")]);
    const main = join(checkout, "services/reloader/main.ts");
    this.reloader = this.#process("reloader", process.execPath, [main], reloaderEnvironment);
  }

  /** Starts the hub, with no region yet; the reloader is started by the test. */
  static async start(): Promise<HubUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), "qalqan-reloader-"));
    const ports = new Ports(DataFolder.create(join(folder, "ports")));
    await ports.prepare(["client", "leaf", "monitor", "route", "companion"].map((name) => `hub/${name}`));
    const capital = new Authority(join(folder, "capital"));
    await capital.prepare();
    const files = await capital.ensure(join(folder, "nats"), "nats.capital", "workload");
    const [coordination, system] = [nkeys.createUser(), nkeys.createUser()];
    writeFileSync(join(folder, "system.seed"), system.getSeed());
    const mounted = join(folder, "mounted");
    const environment = {
      QALQAN_REGION: "capital",
      QALQAN_RELEASE: "test",
      HTTP_LISTEN: ports.address("hub/companion"),
      TLS_CA_FILE: files.ca,
      TLS_CERT_FILE: files.certificate,
      TLS_KEY_FILE: files.key,
      NATS_URL: `tls://localhost:${ports.port("hub/client")}`,
      NATS_SEED_FILE: join(folder, "system.seed"),
      ACCOUNTS_FILE: join(mounted, "accounts.conf"),
      CA_FILE: join(mounted, "authorities.pem"),
    };
    const keys = { coordination: coordination.getPublicKey(), system: system.getPublicKey() };
    const hub = new HubUnderTest(folder, ports, capital, keys, environment);
    const place = {
      listen: (port: string) => ports.address(`hub/${port}`),
      caFile: files.ca,
      lineCaFile: join(mounted, "authorities.pem"),
      certificateFile: files.certificate,
      keyFile: files.key,
      storageFolder: join(folder, "jetstream"),
      secretFile: "mounted/accounts.conf",
    };
    writeFileSync(join(folder, "hub.conf"), hubConfiguration(natsOf(capitalStack()), place));
    hub.mount({ accounts: hub.accountsOf([]), authorities: hub.authoritiesOf([]) });
    hub.hub.start();
    return hub;
  }

  /** A region's own server, which goes on trying until the hub lets it in. */
  async startRegion(slug: string): Promise<void> {
    const region = loadRegions().find((each) => each.slug === slug);
    if (region === undefined) throw new Error(`there is no region ${slug}`);
    const stack = regionalStack(region);
    const folder = join(this.folder, slug);
    mkdirSync(folder);
    const authority = new Authority(join(folder, "authority"));
    await authority.prepare();
    const files = await authority.ensure(join(folder, "nats"), `nats.${slug}`, "workload");
    const leaf = nkeys.createUser();
    writeFileSync(join(folder, "leaf.conf"), leafSeedFile(new TextDecoder().decode(leaf.getSeed())));
    const ports = ["client", "monitor"].map((name) => `${slug}/${name}`);
    await this.#ports.prepare(ports);
    const place = {
      listen: (port: string) => this.#ports.address(`${slug}/${port}`),
      caFile: files.ca,
      lineCaFile: this.#capital.caFile,
      certificateFile: files.certificate,
      keyFile: files.key,
      storageFolder: join(folder, "jetstream"),
      secretFile: "leaf.conf",
    };
    writeFileSync(
      join(folder, "region.conf"),
      regionConfiguration(stack, natsOf(stack), place, this.#ports.address("hub/leaf"), () => [
        nkeys.createUser().getPublicKey(),
      ]),
    );
    const server = this.#process(slug, findTool("nats-server"), ["-c", join(folder, "region.conf")]);
    const credentials = {
      seed: leaf.getSeed(),
      caFile: this.#capital.caFile,
      certificateFile: files.certificate,
      keyFile: files.key,
    };
    this.#regions.set(slug, { stack, authority, leafKey: leaf.getPublicKey(), credentials, server });
    server.start();
  }

  /** A second line with the key of a region, beside that of the region's own server. */
  steal(slug: string): Promise<StolenLine> {
    return StolenLine.open(this.#ports.address("hub/leaf"), this.#region(slug).credentials);
  }

  /** A new leaf key for a region: from now on `accountsOf` names it, and its server is told with `restart`. */
  renewLeaf(slug: string): void {
    const leaf = nkeys.createUser();
    const seed = new TextDecoder().decode(leaf.getSeed());
    writeFileSync(join(this.folder, slug, "leaf.conf"), leafSeedFile(seed));
    this.#region(slug).leafKey = leaf.getPublicKey();
  }

  server(slug: string): Restartable {
    return this.#region(slug).server;
  }

  #region(slug: string): Region {
    const region = this.#regions.get(slug);
    if (region === undefined) throw new Error(`${slug} was not started`);
    return region;
  }

  /** Text of the hub's accounts with these regions. */
  accountsOf(slugs: readonly string[]): string {
    const leaf = new Map(slugs.map((slug) => [slug, [this.#regions.get(slug)?.leafKey ?? ""]]));
    return hubAccounts({ coordination: [this.#keys.coordination], system: [this.#keys.system], leaf });
  }

  /** The authorities of these regions in one file; the capital's own is always among them. */
  authoritiesOf(slugs: readonly string[]): string {
    const authorities = slugs.flatMap((slug) => this.#regions.get(slug)?.authority ?? []);
    return [this.#capital, ...authorities].map(({ caFile }) => readFileSync(caFile, "utf8")).join("");
  }

  /** Replaces both files at once, as a kubelet does: a new folder, and a link that is turned to it. */
  mount({ accounts, authorities }: { accounts: string; authorities: string }): void {
    const mounted = join(this.folder, "mounted");
    this.#generation += 1;
    const generation = `..${this.#generation}`;
    mkdirSync(join(mounted, generation), { recursive: true });
    writeFileSync(join(mounted, generation, "accounts.conf"), accounts);
    writeFileSync(join(mounted, generation, "authorities.pem"), authorities);
    symlinkSync(generation, join(mounted, "..data_tmp"));
    renameSync(join(mounted, "..data_tmp"), join(mounted, "..data"));
    if (this.#generation > 1) return;
    for (const name of ["accounts.conf", "authorities.pem"])
      symlinkSync(join("..data", name), join(mounted, name));
  }

  /** Leaf nodes that the hub has, by region. */
  async leaves(): Promise<Map<string, Leaf>> {
    const answer = await fetch(`http://${this.#ports.address("hub/monitor")}/leafz`);
    const { leafs } = (await answer.json()) as { leafs?: readonly Leaf[] };
    return new Map((leafs ?? []).map((leaf) => [leaf.account.replace(/^REGION-/, ""), leaf]));
  }

  async readiness(): Promise<{ ready: boolean; why: string }> {
    return readiness(this.#ports.address("hub/companion"));
  }

  /** Events of a kind that the reloader has logged, in order. */
  events(event: string): Record<string, unknown>[] {
    return this.log("reloader")
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line["event"] === event);
  }

  log(name: string): string {
    return readFileSync(join(this.folder, `${name}.log`), "utf8");
  }

  async stop(): Promise<void> {
    for (const each of this.#running.toReversed()) await each.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  #process(
    name: string,
    file: string,
    parameters: readonly string[],
    environment: Record<string, string> = {},
  ): Restartable {
    const restartable = new Restartable(() => {
      const output = openSync(join(this.folder, `${name}.log`), "a");
      const child = spawn(file, parameters, {
        env: { PATH: process.env["PATH"] ?? "", ...environment },
        stdio: ["ignore", output, output],
      });
      closeSync(output);
      return child;
    });
    this.#running.push(restartable);
    return restartable;
  }
}

function natsOf(stack: Stack): NatsServer {
  for (const { program } of stack.workloads) if (program.kind === "nats") return program.server;
  throw new Error(`${stack.site} has no NATS server`);
}
