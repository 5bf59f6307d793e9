import { Field } from "./field.ts";
import { containersOf } from "./pods.ts";
import { kindRule, must, podRule, type Rule } from "./rule.ts";

const isAbsentOrFalse = ({ value }: Field): boolean =>
  value === undefined || value === null || value === false;

const awayFromTheHost = podRule({
  name: "pods-share-nothing-with-their-machine",
  description: "Neither network, processes, ports nor files of a machine are seen from a pod.",
  remedy: "remove hostNetwork, hostPID, hostIPC, hostPort and hostPath",
  check: (pod) => [
    ...["hostNetwork", "hostPID", "hostIPC"].flatMap((setting) => {
      const field = pod.spec.at(setting);
      return must(isAbsentOrFalse(field), field, "must be absent or false");
    }),
    ...containersOf(pod)
      .flatMap(({ field }) => field.at("ports").items)
      .flatMap((port) => must(!port.at("hostPort").exists, port.at("hostPort"), "must be absent")),
    ...pod.spec
      .at("volumes")
      .items.flatMap((volume) =>
        must(!volume.at("hostPath").exists, volume.at("hostPath"), "must be absent"),
      ),
  ],
});

/** Everything else can carry a token, a secret that nobody counted, or the files of a machine. */
const volumeKinds = ["emptyDir", "configMap", "secret", "persistentVolumeClaim"];

const knownVolumes = podRule({
  name: "volumes-are-of-known-kinds",
  description: "Pods see their configuration, their secrets, their storage and a place for temporary files.",
  remedy: `use volumes of the kinds ${volumeKinds.join(", ")}`,
  check: ({ spec }) =>
    spec
      .at("volumes")
      .items.flatMap((volume) =>
        volume.keys
          .filter((kind) => kind !== "name" && !volumeKinds.includes(kind) && volume.at(kind).exists)
          .map((kind) => volume.at(kind).violation(`must be one of ${volumeKinds.join(", ")}`)),
      ),
});

const filesOfNobodyElse = podRule({
  name: "files-belong-to-a-group-that-is-not-root",
  description: "Files of volumes do not belong to root's group, and no process is in it.",
  remedy: "set fsGroup to a number above 0 in the pod's securityContext, and no supplementalGroups of 0",
  check: ({ spec }) => {
    const group = spec.at("securityContext", "fsGroup");
    return [
      ...must((group.number ?? 0) > 0, group, "must be the number of a group, and not 0"),
      ...spec
        .at("securityContext", "supplementalGroups")
        .items.flatMap((other) => must((other.number ?? 0) > 0, other, "must not be 0")),
    ];
  },
});

const noToken = podRule({
  name: "pods-have-no-token-of-the-cluster",
  description: "No program of a stack talks to the cluster's API, so none can be made to.",
  remedy: "set automountServiceAccountToken: false in the pod and in its ServiceAccount",
  check: ({ spec }) => {
    const token = spec.at("automountServiceAccountToken");
    return must(token.value === false, token, "must be false");
  },
});

const accountWithoutToken = kindRule("ServiceAccount", {
  name: "service-accounts-have-no-token",
  description: "An account of a stack only names a workload: it can do nothing.",
  remedy: "set automountServiceAccountToken: false, and give it no secrets",
  check: (account) => {
    const token = account.at("automountServiceAccountToken");
    const secrets = account.at("secrets");
    return [
      ...must(token.value === false, token, "must be false"),
      ...must(secrets.items.length === 0, secrets, "must be absent"),
    ];
  },
});

/** A service drains within 10 s; what is left is for a machine that is busy. */
const graceSecondsMin = 15;
const drainSeconds = 10;
/** What Kubernetes takes where nothing is said. */
const graceSecondsDefault = 30;

const graceful = podRule({
  name: "pods-have-time-to-stop",
  description: "What was begun is ended before a process is killed.",
  remedy:
    `set terminationGracePeriodSeconds to at least ${graceSecondsMin}, ` +
    `and to at least ${drainSeconds} more than any preStop sleeps`,
  check: (pod) => {
    const grace = pod.spec.at("terminationGracePeriodSeconds");
    const seconds = grace.exists ? (grace.number ?? 0) : graceSecondsDefault;
    const sleeps = containersOf(pod).map(
      ({ field }) => field.at("lifecycle", "preStop", "sleep", "seconds").number ?? 0,
    );
    const needed = Math.max(graceSecondsMin, ...sleeps.map((sleep) => sleep + drainSeconds));
    return must(seconds >= needed, grace, `must be at least ${needed} s`);
  },
});

/** They hold what others have given them. */
export const stateful: readonly string[] = ["nats", "postgres"];

const stateKept = podRule({
  name: "state-is-kept",
  description:
    "NATS and PostgreSQL keep their volumes when they are deleted, moved or scaled; so does all storage.",
  remedy:
    "make it a StatefulSet with volumeClaimTemplates and " +
    "persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}",
  check: ({ manifest }) => {
    const object = Field.of(manifest);
    if (manifest.kind !== "StatefulSet") {
      const mustBe = `must be StatefulSet: ${stateful.join(" and ")} keep what they are given`;
      return must(!stateful.includes(manifest.metadata.name), object.at("kind"), mustBe);
    }
    const claims = object.at("spec", "volumeClaimTemplates");
    return [
      ...must(claims.items.length > 0, claims, "must claim a volume"),
      ...["whenDeleted", "whenScaled"].flatMap((when) => {
        const retention = object.at("spec", "persistentVolumeClaimRetentionPolicy", when);
        return must(retention.text === "Retain", retention, "must be Retain");
      }),
    ];
  },
});

export const podRules: readonly Rule[] = [
  awayFromTheHost,
  knownVolumes,
  filesOfNobodyElse,
  noToken,
  accountWithoutToken,
  graceful,
  stateKept,
];
