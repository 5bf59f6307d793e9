import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Manifest } from "../manifest.ts";
import { namespaceOf } from "../names.ts";
import type { Site } from "../site.ts";
import { siteManifests } from "../site-manifests.ts";
import { stackHash } from "../../parity/stack-hash.ts";
import { registerAll } from "./resources.ts";

/** What a site's stack is made of. */
export interface SiteStackArgs {
  readonly site: Site;
  /** Contents of the kubeconfig, or its path; the one of the environment when absent. */
  readonly kubeconfig?: string | undefined;
}

/** What a region and the capital have in common: all objects of one site, on its own cluster. */
abstract class SiteStack extends pulumi.ComponentResource {
  /** Where people, switches and regions reach the site, by service and port. */
  readonly endpoints: pulumi.Output<Readonly<Record<string, string>>>;
  /** Equal for stacks that are the same but for what may differ between regions. */
  readonly blueprintHash: pulumi.Output<string>;
  readonly release: pulumi.Output<string>;

  protected constructor(
    type: string,
    name: string,
    { site, kubeconfig }: SiteStackArgs,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super(type, name, {}, options);
    const provider = new kubernetes.Provider(
      "cluster",
      {
        context: site.cluster.context,
        ...(kubeconfig === undefined ? {} : { kubeconfig }),
        enableServerSideApply: true,
        // The hub's accounts change in place; what is immutable has another name when it changes.
        enableConfigMapMutable: true,
      },
      { parent: this },
    );
    const manifests = siteManifests(site);
    const resources = registerAll(manifests, { parent: this, provider });
    const edges = manifests.filter(
      ({ kind, metadata }) => kind === "Service" && metadata.name.endsWith("-edge"),
    );
    this.endpoints = pulumi
      .all(
        edges.map((edge) => {
          const service = resources.get(`Service ${namespaceOf(site.stack.site)}/${edge.metadata.name}`);
          return addressOf(edge, service as kubernetes.core.v1.Service);
        }),
      )
      .apply((addresses) =>
        Object.fromEntries([...addresses, ["page", `https://${site.cluster.ingress.host}`]]),
      );
    this.blueprintHash = pulumi.output(stackHash(manifests, site));
    this.release = pulumi.output(site.release.version);
    this.registerOutputs({
      endpoints: this.endpoints,
      blueprintHash: this.blueprintHash,
      release: this.release,
    });
  }
}

/** Everything that one region runs. */
export class RegionalStack extends SiteStack {
  constructor(name: string, args: SiteStackArgs, options?: pulumi.ComponentResourceOptions) {
    super("qalqan:kubernetes:RegionalStack", name, args, options);
  }
}

/** Everything that the capital runs. */
export class CentralStack extends SiteStack {
  constructor(name: string, args: SiteStackArgs, options?: pulumi.ComponentResourceOptions) {
    super("qalqan:kubernetes:CentralStack", name, args, options);
  }
}

/** `[service, host:port]` from outside of the cluster, where a load balancer has one; else its name inside. */
function addressOf(
  { metadata, spec }: Manifest,
  service: kubernetes.core.v1.Service,
): pulumi.Output<[string, string]> {
  const port = (spec as { ports: readonly { port: number }[] }).ports[0]?.port ?? 0;
  const inside = `${metadata.name}.${metadata.namespace ?? ""}.svc`;
  return pulumi.output(service.status).apply((status): [string, string] => {
    const balancer = status?.loadBalancer?.ingress?.[0];
    return [metadata.name, `${balancer?.hostname ?? balancer?.ip ?? inside}:${port}`];
  });
}
