import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { capitalSite, type Workload, type WorkloadName } from "#infra/blueprint/stack.ts";
import type { Deployment } from "#infra/deployment/deployment.ts";
import { isStateful, namespaceOf } from "#infra/kubernetes/names.ts";
import { restoreManifests, restorePodName } from "#infra/kubernetes/restore-objects.ts";
import type { Site } from "#infra/kubernetes/site.ts";
import { placeholderNation, siteOf } from "#infra/kubernetes/sites.ts";
import { WrongUse } from "../failure.ts";
import { shownSteps, whereToLook, type NextStep } from "../next-steps.ts";
import type { GlobalOptions } from "../options.ts";
import { answer } from "../output.ts";
import type { Wanted } from "./restore-database.ts";

/** What a person runs to bring back what a site on a cluster kept. */
export interface ClusterSteps {
  /** Objects that the steps make; written by the command, for the owner alone. */
  readonly file: string;
  readonly steps: readonly NextStep[];
}

/** The PostgreSQL of a site from its backups, up to a moment of a history. */
export async function restoreOnCluster(
  deployment: Deployment,
  name: string,
  wanted: Wanted,
): Promise<ClusterSteps> {
  const cluster = await ClusterSite.of(deployment, name);
  const users = cluster.needing("postgres");
  const file = cluster.write(wanted);
  return {
    file,
    steps: [
      ...cluster.stop(users, "nobody writes meanwhile"),
      ...cluster.stop(["postgres"], "its volumes are free"),
      ...cluster.putBack(file),
      ...cluster.start(["postgres"], "it replays the archived WAL, and is ready when it has"),
      ...cluster.start(users, "they take back from the streams what the database lacks"),
      cluster.look,
    ],
  };
}

/** A site whose disks are gone: the database from its backups, everything else empty. */
export async function rebuildOnCluster(deployment: Deployment, name: string): Promise<ClusterSteps> {
  const cluster = await ClusterSite.of(deployment, name);
  const all = cluster.site.stack.workloads.map((workload) => workload.name);
  const servers: readonly WorkloadName[] = ["nats", "postgres"];
  const services = all.filter((each) => !servers.includes(each));
  const file = cluster.write({ until: undefined, timeline: undefined });
  return {
    file,
    steps: [
      ...cluster.stop(services, "all of it stops; switches let calls go on by themselves"),
      ...cluster.stop(servers, "their volumes are free"),
      ...cluster.forget(all.filter((each) => each !== "postgres")),
      ...cluster.putBack(file),
      ...cluster.start(servers, "the streams begin empty, the database replays the archived WAL"),
      ...cluster.start(services, "they fill from the database and from the other end of the line"),
      cluster.look,
    ],
  };
}

/** @throws WrongUse where an option was given that means nothing on clusters */
export function refuseLocal(given: Readonly<Record<string, string | boolean | undefined>>): void {
  for (const [field, value] of Object.entries(given)) {
    if (value === undefined) continue;
    throw new WrongUse({
      field,
      value: String(value),
      message: `--${field} is for the run on this machine`,
      remedy: "leave it out: on a cluster the backups are on the volume beside the database",
    });
  }
}

/** Tells a person the steps. */
export function tellSteps(
  options: GlobalOptions,
  site: string,
  deployment: Deployment,
  { file, steps }: ClusterSteps,
): void {
  const next = [...whereToLook(deployment), ...steps];
  answer(options, { site, file, next }, () => [
    `nothing was done to ${site}: these steps do it, one after the other; ${file} has what they make`,
    ...shownSteps(next),
  ]);
}

/** Time that a copy of a database may take, and that its server may replay WAL. */
const waitFor = "--timeout=2h";

class ClusterSite {
  readonly site: Site;
  readonly #folder: string;

  private constructor(site: Site, folder: string) {
    this.site = site;
    this.#folder = folder;
  }

  /** Keys are not needed: they stay what they are. @throws Problem as `siteOf` and `Deployment.release` */
  static async of(deployment: Deployment, name: string): Promise<ClusterSite> {
    const nation = placeholderNation(deployment, deployment.release());
    return new ClusterSite(await siteOf(nation, name), deployment.folder);
  }

  get #kubectl(): string {
    const { cluster, stack } = this.site;
    return `kubectl --context ${cluster.context} -n ${namespaceOf(stack.site)}`;
  }

  #workload(name: WorkloadName): Workload {
    const workload = this.site.stack.workloads.find((each) => each.name === name);
    if (workload === undefined) throw new RangeError(`${this.site.stack.site} has no ${name}`);
    return workload;
  }

  #titleOf(name: WorkloadName): string {
    return `${isStateful(this.#workload(name)) ? "statefulset" : "deployment"}/${name}`;
  }

  /** Workloads that wait for this one at their start. */
  needing(name: WorkloadName): readonly WorkloadName[] {
    return this.site.stack.workloads.filter(({ after }) => after.includes(name)).map((each) => each.name);
  }

  /** Writes what puts the database back beside the deployment's own files. */
  write(wanted: Wanted): string {
    const file = join(this.#folder, `restore-${this.site.stack.site}.yaml`);
    const text = restoreManifests(this.site, wanted)
      .map((manifest) => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false }))
      .join("---\n");
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  stop(names: readonly WorkloadName[], why: string): readonly NextStep[] {
    return names.flatMap((name) => [
      { command: `${this.#kubectl} scale ${this.#titleOf(name)} --replicas=0`, why },
      {
        command: `${this.#kubectl} wait pod --for=delete -l app.kubernetes.io/name=${name} ${waitFor}`,
        why: "until it has ended",
      },
    ]);
  }

  start(names: readonly WorkloadName[], why: string): readonly NextStep[] {
    return [
      ...names.map((name) => ({
        command: `${this.#kubectl} scale ${this.#titleOf(name)} --replicas=${this.#workload(name).replicas.least}`,
        why,
      })),
      ...names.map((name) => ({
        command: `${this.#kubectl} rollout status ${this.#titleOf(name)} ${waitFor}`,
        why: "until it is ready",
      })),
    ];
  }

  putBack(file: string): readonly NextStep[] {
    const succeeded = `--for=jsonpath='{.status.phase}'=Succeeded`;
    return [
      {
        command: `${this.#kubectl} apply --server-side -f ${file}`,
        why: "a base backup is put in place; what is there is set aside",
      },
      {
        command: `${this.#kubectl} wait pod/${restorePodName} ${succeeded} ${waitFor}`,
        why: "until that is done",
      },
      { command: `${this.#kubectl} logs ${restorePodName}`, why: "it says which base backup it was" },
      { command: `${this.#kubectl} delete pod ${restorePodName}`, why: "its volumes are free" },
    ];
  }

  forget(names: readonly WorkloadName[]): readonly NextStep[] {
    const kept = names.filter((name) => this.#workload(name).storage.length > 0);
    return kept.map((name) => ({
      command: `${this.#kubectl} delete pvc -l app.kubernetes.io/name=${name}`,
      why: "its volumes are made anew; where one can still be read, take a snapshot of it first",
    }));
  }

  get look(): NextStep {
    const { site } = this.site.stack;
    const what = site === capitalSite ? "every region is in sync with it" : "the capital finds it in sync";
    return { command: "npx qalqan status", why: `until ${what}` };
  }
}
