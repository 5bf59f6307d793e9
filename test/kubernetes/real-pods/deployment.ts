import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { writeRelease, type Release } from "#infra/deployment/release.ts";
import { issueCertificate } from "#infra/keys/certificates.ts";
import { identityFileVariable } from "#infra/keys/key-access.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { edgeService, namespaceOf, portNumber } from "#infra/kubernetes/names.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { deployedNation, siteOf } from "#infra/kubernetes/sites.ts";
import { mintToken, prepareIdentity } from "#infra/local/identity.ts";
import type { LocalPerson } from "#infra/local/people.ts";
import { clusterDomain, nodeAddress, podRange, serviceRange } from "../real-node/configuration.ts";

/** Files by which somebody from outside of a cluster proves who asks, and knows who answers; PEM. */
export interface ClientFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** People and switches ask from the node itself. */
const outside = [`${nodeAddress}/32`];
/** Both sites are on the one cluster: the line goes from pods through a Service to pods. */
const inside = [podRange, serviceRange];
const cluster = {
  context: "node",
  serviceType: "ClusterIP",
  networks: { switches: outside, people: outside, regions: [podRange], capital: inside },
};
const clientDays = 1;
const tokenSeconds = 3_600;

/** `host:port` of a Service of a site, for whoever is in the node's network. */
export function addressOf(site: string, service: string, port: string): string {
  return `${service}.${namespaceOf(site)}.svc.${clusterDomain}:${portNumber(port)}`;
}

/**
 * A deployment as its people make one, with real keys: the capital and the
 * regions that were added, small enough for the node.
 */
export class NodeDeployment {
  readonly #folder: string;
  readonly #deployment: Deployment;

  private constructor(folder: string, deployment: Deployment) {
    this.#folder = folder;
    this.#deployment = deployment;
  }

  /** @param folder empty */
  static async make(folder: string, release: Release): Promise<NodeDeployment> {
    const own = join(folder, "deployment");
    const regions = join(folder, "regions");
    for (const each of [own, regions]) mkdirSync(each, { recursive: true });
    const identity = join(folder, "identity.age");
    const deployment = Deployment.of({ deployment: own, regions }, { [identityFileVariable]: identity });
    await deployment.access.makeIdentity(identity);
    const [leafHost = "", leafPort = ""] = addressOf(capitalSite, edgeService("nats"), "leaf").split(":");
    writeFileSync(
      join(own, "capital.yaml"),
      stringify({ sizeClass: "small", leafHost, leafPort: Number(leafPort), cluster }),
    );
    writeRelease(join(own, "release.json"), release);
    const people = prepareIdentity(join(folder, "people"));
    writeFileSync(join(own, "identity-keys.json"), readFileSync(people.keys));
    await deployment.keyStore.make(deployment.keyOrder(capitalSite));
    return new NodeDeployment(folder, deployment);
  }

  /** One of the project's regions joins the nation. */
  async addRegion(slug: string): Promise<void> {
    const region = loadRegions().find((each) => each.slug === slug);
    const rolloutWave = this.#deployment.regions().length + 1;
    const document = { ...region, rolloutWave, sizeClass: "small", cluster: { ...cluster, context: slug } };
    writeFileSync(join(this.#deployment.regionsFolder, `${slug}.yaml`), stringify(document));
    await this.#deployment.keyStore.make(this.#deployment.keyOrder(slug));
  }

  /** Every object of a site, as it is rolled out. */
  async manifests(site: string): Promise<readonly Manifest[]> {
    return siteManifests(await siteOf(deployedNation(this.#deployment), site));
  }

  /** Host name under which people and switches know a region. */
  publicHost(region: string): string {
    return this.#deployment.regions().find(({ slug }) => slug === region)?.cluster.ingress.host ?? "";
  }

  /** A certificate of the site's authority for somebody from outside. */
  async clientOf(site: string, commonName: string): Promise<ClientFiles> {
    const { authority } = await this.#deployment.keyStore.read(this.#deployment.keyOrder(site));
    const names = { dnsNames: [commonName], ipAddresses: [] };
    const order = { commonName, ...names, use: "client", days: clientDays } as const;
    const { certificate, key } = await issueCertificate(authority, order);
    const file = (ending: string, content: string) => this.#write(`${commonName}.${ending}`, content);
    return {
      ca: file("ca.pem", authority.certificate),
      cert: file("pem", certificate),
      key: file("key.pem", key),
    };
  }

  /** File with a person's token. */
  async tokenOf(person: LocalPerson): Promise<string> {
    const { privateKey } = prepareIdentity(join(this.#folder, "people"));
    return this.#write(`${person.id}.token`, await mintToken(privateKey, person, tokenSeconds));
  }

  #write(name: string, content: string): string {
    const file = join(this.#folder, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  }
}
