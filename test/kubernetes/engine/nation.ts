import { generateKeyPairSync } from "node:crypto";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { regionsFolder } from "#infra/blueprint/regions.ts";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { placeholderRelease, writeRelease } from "#infra/deployment/release.ts";
import { namespaceOf } from "#infra/kubernetes/names.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, siteOf } from "#infra/kubernetes/sites.ts";
import type { TestClusters } from "../clusters.ts";
import { qalqan } from "../qalqan.ts";

export const clusterNames = ["north", "south"] as const;
const readyWaitMs = 60_000;

/**
 * All regions of the project, and what their platform engineers have: a
 * deployment with release and keys, and a kubeconfig. Several sites share a
 * cluster, each in its own context and namespace.
 */
export class Nation {
  readonly #clusters: TestClusters;
  readonly #deployment: Deployment;
  /** What commands and programs are told. */
  readonly environment: Readonly<Record<string, string>>;

  /** @param folder empty */
  constructor(folder: string, clusters: TestClusters) {
    const deployment = join(folder, "deployment");
    const regions = join(folder, "regions");
    this.#clusters = clusters;
    this.#deployment = Deployment.of({ deployment, regions }, {});
    this.environment = {
      KUBECONFIG: clusters.kubeconfigFile,
      QALQAN_DEPLOYMENT: deployment,
      QALQAN_REGIONS: regions,
      QALQAN_KEYS_IDENTITY_FILE: join(folder, "identity.txt"),
    };
    cpSync(regionsFolder, regions, { recursive: true });
    mkdirSync(deployment);
    writeRelease(join(deployment, "release.json"), placeholderRelease);
    const key = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
    writeFileSync(
      join(deployment, "identity-keys.json"),
      JSON.stringify({ keys: [{ ...key, kid: "first" }] }),
    );
  }

  /** Slugs of the regions that there are now. */
  regions(): readonly string[] {
    return this.#deployment.regions().map(({ slug }) => slug);
  }

  /**
   * Runs a command of `qalqan`.
   *
   * @returns its answer
   * @throws Error with what it printed, when it failed
   */
  async command(...words: readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await qalqan([...words, "--json"], this.environment);
    if (code === 0) return JSON.parse(stdout);
    throw new Error(`qalqan ${words.join(" ")}: ${code}\n${stdout}\n${stderr}`);
  }

  /** Gives a context of the kubeconfig to a site that is to come. */
  async addContext(context: string, cluster: (typeof clusterNames)[number]): Promise<void> {
    const where = [`--cluster=${cluster}`, "--user=admin"];
    await this.#clusters.kubectl(cluster, ["config", "set-context", context, ...where]);
  }

  /** Contexts for all sites that there are, in turns in each cluster. */
  async addContexts(): Promise<void> {
    const sites = [this.#deployment.capital(), ...this.#deployment.regions()];
    for (const [index, { cluster }] of sites.entries()) {
      await this.addContext(cluster.context, clusterNames[index % clusterNames.length] ?? "north");
    }
  }

  /** Makes the volumes that a site's claims will ask for. */
  async makeVolumes(site: string): Promise<void> {
    const manifests = siteManifests(await siteOf(placeholderNation(this.#deployment), site));
    await this.#clusters.makeVolumes(this.#contextOf(site), manifests);
  }

  /** @throws Error naming the workloads of a site that are not ready */
  async requireReady(site: string): Promise<void> {
    await this.#clusters.untilReady(this.#contextOf(site), namespaceOf(site), readyWaitMs);
  }

  /** Asks a site's cluster about its namespace (`kubectl`). */
  ask(site: string, ...words: readonly string[]): Promise<string> {
    return this.#clusters.kubectl(this.#contextOf(site), [`--namespace=${namespaceOf(site)}`, ...words]);
  }

  #contextOf(site: string): string {
    if (site === capitalSite) return this.#deployment.capital().cluster.context;
    const region = this.#deployment.regions().find(({ slug }) => slug === site);
    if (region === undefined) throw new RangeError(`there is no region ${site}`);
    return region.cluster.context;
  }
}
