import { askCluster } from "../kubernetes/kubectl.ts";
import { titleOf, type Json, type Manifest } from "../kubernetes/manifest.ts";
import { label, namespaceOf, siteLabels } from "../kubernetes/names.ts";
import type { Site } from "../kubernetes/site.ts";
import { isList, itemName } from "./stack-hash.ts";

/** Kinds by which somebody could open a site or run something in it: all of a namespace are looked at, with or without our labels. */
const everyoneOf = ["NetworkPolicy", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"];

/** What opens a pod to its machine: said by a live pod, it counts, although no manifest of ours names it. */
const hostFields = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "ephemeralContainers"];

/**
 * The objects of a site as they run, each cut down to the fields that its
 * manifest names: what the cluster filled in says nothing about the site.
 * Network policies stay whole, for what is left out there is what is closed;
 * so does whatever runs in the namespace and is not in the manifests.
 *
 * @throws Problem `cluster-unreachable`
 */
export async function liveManifests(
  manifests: readonly Manifest[],
  { stack, cluster }: Pick<Site, "stack" | "cluster">,
): Promise<readonly Manifest[]> {
  const own = [...new Set(manifests.map(({ kind }) => kind))].filter((kind) => !everyoneOf.includes(kind));
  const get = async (kinds: readonly string[], ...more: readonly string[]): Promise<readonly Manifest[]> => {
    const asked = ["get", kinds.join(","), "--namespace", namespaceOf(stack.site), ...more];
    const answer = await askCluster(cluster.context, [...asked, "--output", "json"]);
    return (JSON.parse(answer) as { readonly items: readonly Manifest[] }).items;
  };
  const items = [
    ...(await get(own, "--selector", `${label.site}=${siteLabels(stack.site)[label.site] ?? ""}`)),
    ...(await get(everyoneOf)),
  ];
  const wanted = new Map(manifests.map((manifest) => [comparedTitle(manifest), manifest]));
  return items.map((live) => {
    const manifest = wanted.get(comparedTitle(live));
    if (manifest === undefined) return live;
    const cut = cutTo(live as Json, manifest as Json) as unknown as Manifest;
    return live.kind === "NetworkPolicy" ? { ...cut, spec: live["spec"] } : cut;
  });
}

/** Keys differ from site to site, so the names by content do; one of each is there. */
const comparedTitle = (manifest: Manifest): string => titleOf(manifest).replace(/-[0-9a-f]{10}$/, "");

/** What of a live value its manifest speaks of; another number of items is kept as it is, for it is a difference. */
function cutTo(live: Json, wanted: Json): Json {
  if (typeof live !== "object" || typeof wanted !== "object" || live === null || wanted === null) return live;
  if (isList(live) && isList(wanted)) {
    if (live.length !== wanted.length) return live;
    const byName = new Map(wanted.map((item, index) => [itemName(item, index), item]));
    return live.map((item, index) => cutTo(item, byName.get(itemName(item, index)) ?? item));
  }
  if (isList(live) || isList(wanted)) return live;
  const added = hostFields.filter((field) => live[field] !== undefined && wanted[field] === undefined);
  return Object.fromEntries(
    [...Object.entries(wanted), ...added.map((field): [string, Json] => [field, null])].flatMap(
      ([field, each]): [string, Json][] => {
        const value = live[field];
        return value === undefined ? [] : [[field, cutTo(value, each)]];
      },
    ),
  );
}
