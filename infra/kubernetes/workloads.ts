import type { Storage, Workload } from "../blueprint/stack.ts";
import { configurationOf, hubAccountsName, secretFilesOf } from "./configuration.ts";
import { companionContainer, goneSeconds, initContainers, programContainer } from "./containers.ts";
import { contentName, type Json, type Manifest } from "./manifest.ts";
import { isStateful, label, namespaceOf, podSelector, podsService, siteLabels } from "./names.ts";
import type { Site } from "./site.ts";

/** Users inside containers: the project's own, and that of the upstream image of PostgreSQL. */
const users = { service: 10_001, nats: 10_001, postgres: 999 } as const;

const cpuUtilizationTarget = 60;
/** A quiet hour must not take away what the next wave of calls needs (s). */
const scaleDownSeconds = 600;
const callsPriority = 1_000_000;

export const priorityClassName = (site: string): string => `${namespaceOf(site)}-calls`;

/** Highest priority for what a call needs: it is evicted last. */
export function priorityManifest({ stack }: Site): Manifest {
  return {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: priorityClassName(stack.site), labels: siteLabels(stack.site) },
    value: callsPriority,
    preemptionPolicy: "PreemptLowerPriority",
    description: "What the screening of calls needs.",
  };
}

/** A workload's account, its pods, and what keeps enough of them. */
export function workloadManifests(workload: Workload, site: Site): readonly Manifest[] {
  const { least, most } = workload.replicas;
  return [
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: metadata(workload, site),
      automountServiceAccountToken: false,
    },
    isStateful(workload) ? statefulSet(workload, site) : deployment(workload, site),
    ...(least > 1 ? [disruptionBudget(workload, site)] : []),
    ...(most > least ? [autoscaler(workload, site)] : []),
  ];
}

function metadata(workload: Workload, { stack, release }: Site): Manifest["metadata"] {
  return {
    name: workload.name,
    namespace: namespaceOf(stack.site),
    labels: {
      ...siteLabels(stack.site),
      ...podSelector(workload.name),
      [label.version]: release.version,
    },
  };
}

function deployment(workload: Workload, site: Site): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(workload, site),
    spec: {
      replicas: workload.replicas.least,
      selector: { matchLabels: podSelector(workload.name) },
      // One that must be alone ends before the next begins; of several, each is replaced before it goes.
      strategy:
        workload.replicas.least > 1
          ? { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
          : { type: "Recreate" },
      revisionHistoryLimit: 5,
      template: podTemplate(workload, site),
    },
  };
}

function statefulSet(workload: Workload, site: Site): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: metadata(workload, site),
    spec: {
      // With an autoscaler the count is its own: naming it here would undo what it decided.
      ...(workload.replicas.most > workload.replicas.least ? {} : { replicas: workload.replicas.least }),
      serviceName: podsService(workload.name),
      selector: { matchLabels: podSelector(workload.name) },
      // Nodes of a hub need each other to become ready.
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "RollingUpdate" },
      revisionHistoryLimit: 5,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      template: podTemplate(workload, site),
      volumeClaimTemplates: workload.storage.map((storage) => ({
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        ...volumeClaim(storage, workload, site),
      })),
    },
  };
}

/** What a volume of a workload is asked for as. */
export function volumeClaim({ name, gibibytes }: Storage, workload: Workload, { stack, cluster }: Site) {
  const { storageClass } = cluster;
  return {
    metadata: { name, labels: { ...siteLabels(stack.site), ...podSelector(workload.name) } },
    spec: {
      accessModes: ["ReadWriteOnce"],
      volumeMode: "Filesystem",
      ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
      resources: { requests: { storage: `${gibibytes}Gi` } },
    },
  };
}

/** As whom the pods of a workload run. */
export function podSecurity({ program }: Workload): Readonly<Record<string, Json>> {
  const user = users[program.kind];
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    // Volumes are large, and have one owner from the first day.
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  };
}

function podTemplate(workload: Workload, site: Site): Json {
  const initial = initContainers(workload, site);
  return {
    metadata: {
      labels: {
        ...siteLabels(site.stack.site),
        ...podSelector(workload.name),
        [label.version]: site.release.version,
      },
    },
    spec: {
      serviceAccountName: workload.name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(workload.priority === "calls" ? { priorityClassName: priorityClassName(site.stack.site) } : {}),
      securityContext: podSecurity(workload),
      terminationGracePeriodSeconds: goneSeconds + workload.stopWaitMs / 1_000,
      ...(workload.replicas.least > 1 ? { topologySpreadConstraints: spread(workload) } : {}),
      ...(initial.length > 0 ? { initContainers: initial } : {}),
      containers: [
        programContainer(workload, site),
        ...workload.companions.map((companion) => companionContainer(companion, workload, site)),
      ],
      volumes: volumes(workload, site),
    },
  };
}

/** Over machines and over zones, as far as there are any: a pod that fits nowhere else still starts. */
const spread = (workload: Workload): Json =>
  ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: podSelector(workload.name) },
  }));

/** For the group of the container alone: fsGroup makes it that of every file. */
const readOnlyMode = 0o440;

function volumes(workload: Workload, site: Site): Json {
  const configuration = configurationOf(workload, site);
  const isHub = workload.program.kind === "nats" && workload.program.server.leafPort !== undefined;
  return [
    { name: "temporary", emptyDir: { sizeLimit: "256Mi" } },
    {
      name: "configuration",
      ...(Object.keys(configuration).length === 0
        ? { emptyDir: {} }
        : { configMap: { name: contentName(workload.name, configuration), defaultMode: readOnlyMode } }),
    },
    {
      name: "secrets",
      secret: {
        secretName: contentName(workload.name, secretFilesOf(workload, site)),
        defaultMode: readOnlyMode,
      },
    },
    ...(isHub ? [{ name: "accounts", configMap: { name: hubAccountsName, defaultMode: readOnlyMode } }] : []),
    ...(workload.program.kind === "postgres" ? [{ name: "sockets", emptyDir: {} }] : []),
  ];
}

function disruptionBudget(workload: Workload, site: Site): Manifest {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadata(workload, site),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: { matchLabels: podSelector(workload.name) },
    },
  };
}

function autoscaler(workload: Workload, site: Site): Manifest {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: metadata(workload, site),
    spec: {
      scaleTargetRef: {
        apiVersion: "apps/v1",
        kind: isStateful(workload) ? "StatefulSet" : "Deployment",
        name: workload.name,
      },
      minReplicas: workload.replicas.least,
      maxReplicas: workload.replicas.most,
      metrics: [
        {
          type: "Resource",
          resource: {
            name: "cpu",
            target: { type: "Utilization", averageUtilization: cpuUtilizationTarget },
          },
        },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: scaleDownSeconds } },
    },
  };
}
