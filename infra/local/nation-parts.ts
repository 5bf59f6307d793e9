import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { capitalStack } from "../blueprint/capital-stack.ts";
import { hubAccounts } from "../blueprint/nats-configuration.ts";
import { secretName } from "../blueprint/parts.ts";
import { countryList, isRevoked, nationList, type KeyChange } from "../blueprint/region-lists.ts";
import { loadRegions, type Region } from "../blueprint/regions.ts";
import { regionalStack } from "../blueprint/regional-stack.ts";
import { capitalSite, type Setting, type Stack } from "../blueprint/stack.ts";
import { publicSigningKey, signingKeysText, type SigningKeyList } from "../keys/public-keys.ts";
import { compileCacheFolder } from "../toolchain/tools.ts";
import { Authority, type CertificateFiles } from "./authority.ts";
import { writeWhole, type DataFolder } from "./data-folder.ts";
import { backupsOf } from "./backups.ts";
import { prepareIdentity, type IdentityFiles } from "./identity.ts";
import { LocalRunError, unknownRegion } from "./errors.ts";
import { checkoutFolder, hubAccountsFile, type LaunchContext } from "./launch.ts";
import { instancesOf } from "./instances.ts";
import { nameProcess } from "./own-process.ts";
import { portKey, portKeys, Ports } from "./ports.ts";
import { reloadAndEndLines, type HubNode } from "./hub-lines.ts";
import { forgetLeafKey, knownRegions, withChange } from "./region-keys.ts";
import type { RunFile } from "./run-file.ts";
import { StackSecrets } from "./secrets.ts";

type Clients = Readonly<Record<"cli" | "switch", CertificateFiles>>;

/** What all stacks of a data folder share: ports, authority, identity, and the list of its regions. */
export class NationParts {
  readonly folder: DataFolder;
  readonly #ports: Ports;
  readonly #authority: Authority;
  readonly #identity: IdentityFiles;
  readonly #clients: Clients;
  readonly #settings: Readonly<Record<Setting, string>>;
  readonly #capital = capitalStack();
  readonly #startedAt = new Date().toISOString();

  private constructor(
    folder: DataFolder,
    authority: Authority,
    clients: Clients,
    settings: Readonly<Record<Setting, string>>,
  ) {
    this.folder = folder;
    this.#ports = new Ports(folder);
    this.#authority = authority;
    this.#identity = prepareIdentity(folder.identity);
    this.#clients = clients;
    this.#settings = settings;
  }

  static async prepare(
    folder: DataFolder,
    settings: Pick<Record<Setting, string>, "release" | "logLevel">,
    hubNodes: number | undefined,
  ): Promise<NationParts> {
    const nodes = hubNodesOf(folder, hubNodes);
    const authority = new Authority(folder.authority);
    await authority.prepare();
    const clients = {
      cli: await authority.ensure(join(folder.authority, "cli"), "cli", "client"),
      switch: await authority.ensure(join(folder.authority, "switch"), "switch", "client"),
    };
    return new NationParts(folder, authority, clients, {
      ...settings,
      compileCache: compileCacheFolder(),
      console: join(checkoutFolder, "services", "console", "dist"),
      // Whoever is on this machine may see the nation's figures: they name nobody.
      consoleOpenOnLoopback: "true",
      hubNodes: String(nodes),
      // Beside the capital, whose storage may be lost.
      archive: pathToFileURL(join(folder.root, "archive")).href,
      archiveCredentials: "",
      archiveAuthority: "",
    });
  }

  /**
   * Makes everything that the stacks of these regions need (ports, secrets),
   * and writes the list of the nation's regions and the hub's accounts for all
   * of them, those not started now among them.
   *
   * @throws LocalRunError `port-taken`, `invalid-ports`
   */
  async contexts(regions: readonly Region[], withCapital: boolean): Promise<readonly LaunchContext[]> {
    const capital = this.#capital;
    const stacks = [...(withCapital ? [capital] : []), ...regions.map(regionalStack)];
    await this.#ports.prepare(stacks.flatMap((stack) => portKeys(stack, this.#hubNodes)));
    const nation = this.#writeNation(regions);
    const secrets = new Map<string, StackSecrets>();
    for (const stack of [capital, ...nation.map(regionalStack)])
      secrets.set(stack.site, await this.#secrets(stack));
    this.#writeHubAccounts(secrets);
    this.#writeSigningKeys(secrets);
    return stacks.map((stack) => this.#context(stack, secrets));
  }

  /** Writes how this run is reached. */
  writeRunFile(regions: readonly Region[], control: string): RunFile {
    const runner = nameProcess(process.pid);
    if (runner === undefined) throw new Error("this process is not in /proc");
    const stacks = [this.#capital, ...regions.map(regionalStack)];
    const run: RunFile = {
      runner,
      startedAt: this.#startedAt,
      release: this.#settings.release,
      dataFolder: this.folder.root,
      control,
      identity: this.#identity,
      clients: this.#clients,
      regions: regions.map(({ slug }) => slug),
      regionsFile: this.folder.regionsFile,
      sites: Object.fromEntries(stacks.map((stack) => [stack.site, this.#addresses(stack)])),
    };
    writeWhole(this.folder.runFile, JSON.stringify(run, undefined, 2));
    return run;
  }

  #addresses(stack: Stack): RunFile["sites"][string] {
    return Object.fromEntries(
      stack.workloads
        .flatMap((workload) => instancesOf(workload, this.#hubNodes))
        .map(({ name, workload }) => [
          name,
          Object.fromEntries(
            workload.ports.map((port) => [
              port.name,
              this.#ports.address(portKey(stack.site, name, port.name)),
            ]),
          ),
        ]),
    );
  }

  get #hubNodes(): number {
    return Number(this.#settings.hubNodes);
  }

  #secrets(stack: Stack): Promise<StackSecrets> {
    return StackSecrets.prepare(stack, this.folder, this.#authority, this.#identity.keys);
  }

  #context(stack: Stack, secrets: ReadonlyMap<string, StackSecrets>): LaunchContext {
    return {
      stack,
      capital: this.#capital,
      hubNodes: this.#hubNodes,
      folder: this.folder,
      ports: this.#ports,
      secrets: required(secrets, stack.site),
      settings: this.#settings,
      backups: backupsOf(this.folder),
    };
  }

  /** Adds regions to the nation of the data folder. @returns all of its regions */
  #writeNation(regions: readonly Region[]): readonly Region[] {
    const country = loadRegions();
    writeWhole(this.folder.countryFile, countryList(country));
    const file = this.folder.regionsFile;
    const known = knownRegions(this.folder);
    const slugs = new Set([...known, ...regions].map(({ slug }) => slug));
    const nation = country.filter(({ slug }) => slugs.has(slug));
    if (slugs.size > known.length || !existsSync(file)) {
      writeWhole(file, nationList(nation, this.#keyChangesOf));
    }
    return nation;
  }

  readonly #keyChangesOf = (region: string): readonly KeyChange[] =>
    knownRegions(this.folder).find(({ slug }) => slug === region)?.keyChanges ?? [];

  #writeHubAccounts(secrets: ReadonlyMap<string, StackSecrets>): void {
    const capital = required(secrets, capitalSite);
    const regions = [...secrets].filter(([site]) => site !== capitalSite);
    const file = hubAccountsFile(this.folder);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const text = hubAccounts({
      coordination: [capital.publicKey(secretName.natsUser("coordination"))],
      system: [capital.publicKey(secretName.system)],
      leaf: new Map(
        regions.map(([site, own]) => [
          site,
          isRevoked(this.#keyChangesOf(site)) ? [] : [own.publicKey(secretName.leaf)],
        ]),
      ),
    });
    writeWhole(file, text);
  }

  /**
   * Revokes the key of a region's line, or gives it another, which its server
   * has from its next start on. The nation's list remembers it, so that no
   * start lets a revoked key in again.
   *
   * @param nodes of the hub that run: they take it at once, and end the lines of the key before
   * @throws LocalRunError `unknown-region`; `wrong-state` when a node does not take it
   */
  async changeKey(region: string, change: KeyChange["change"], nodes: readonly HubNode[]): Promise<void> {
    const known = knownRegions(this.folder).map(({ slug }) => slug);
    if (!known.includes(region)) throw unknownRegion(region, known);
    const changes = withChange(this.#keyChangesOf(region), change, Date.now());
    const nation = loadRegions().filter(({ slug }) => known.includes(slug));
    const changesOf = (slug: string) => (slug === region ? changes : this.#keyChangesOf(slug));
    if (change === "renewed") forgetLeafKey(this.folder, region);
    writeWhole(this.folder.regionsFile, nationList(nation, changesOf));
    await this.contexts([], false);
    const accounts = readFileSync(hubAccountsFile(this.folder), "utf8");
    const keys = new Set(accounts.match(/\bU[A-Z2-7]{55}\b/g));
    const system = join(this.folder.secrets(capitalSite), secretName.system);
    for (const node of nodes) await reloadAndEndLines(node, keys, this.#clients.cli, system);
  }

  /** A key that is another one than before comes after it: what the former one has signed stays signed. */
  #writeSigningKeys(secrets: ReadonlyMap<string, StackSecrets>): void {
    const file = this.folder.signingKeysFile;
    const known = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as SigningKeyList) : {};
    const list = Object.fromEntries(
      [...secrets].map(([site, own]) => {
        const current = publicSigningKey(own.read(secretName.signingKey));
        const former = (known[site] ?? []).filter(({ kid }) => kid !== current.kid);
        return [site, [...former, current]];
      }),
    );
    writeWhole(file, signingKeysText({ ...known, ...list }));
  }
}

/**
 * A hub keeps the number of nodes that it began with: its streams have so many
 * copies.
 *
 * @throws LocalRunError `wrong-state` when another number is asked for
 */
function hubNodesOf(folder: DataFolder, asked: number | undefined): number {
  const kept = keptHubNodes(folder);
  const nodes = asked ?? kept ?? 1;
  if (kept !== undefined && kept !== nodes) {
    throw new LocalRunError({
      code: "wrong-state",
      field: "hub",
      value: String(nodes),
      message: `the hub on ${folder.root} has ${kept === 1 ? "one node" : `${kept} nodes`}`,
      remedy: "leave --hub out, or begin another nation with another --data",
    });
  }
  writeWhole(folder.hubFile, JSON.stringify({ nodes }));
  return nodes;
}

/** How many nodes the hub of a data folder has; undefined: none was ever started there. */
export function keptHubNodes(folder: DataFolder): number | undefined {
  // A nation of an earlier release has ports, and a hub of one.
  if (!existsSync(folder.hubFile)) return existsSync(folder.portsFile) ? 1 : undefined;
  return (JSON.parse(readFileSync(folder.hubFile, "utf8")) as { readonly nodes: number }).nodes;
}

function required(secrets: ReadonlyMap<string, StackSecrets>, site: string): StackSecrets {
  const found = secrets.get(site);
  if (found === undefined) throw new RangeError(`no secrets were made for ${site}`);
  return found;
}
