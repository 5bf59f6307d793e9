import type { Field, Violation } from "./field.ts";
import { securitySetting } from "./pods.ts";
import { containerRule, must, type Rule } from "./rule.ts";

const isUserBelowRoot = ({ number }: Field): boolean => number !== undefined && number > 0;

const notAsRoot = containerRule({
  name: "containers-run-as-a-fixed-user-that-is-not-root",
  description: "Whoever breaks out of a program is nobody on the machine.",
  remedy:
    "set runAsNonRoot: true, and runAsUser and runAsGroup to a number above 0, in the pod's securityContext",
  check: (container, pod) => {
    const nonRoot = securitySetting(container, pod, "runAsNonRoot");
    const user = securitySetting(container, pod, "runAsUser");
    const group = securitySetting(container, pod, "runAsGroup");
    return [
      ...must(nonRoot.value === true, nonRoot, "must be true"),
      ...must(isUserBelowRoot(user), user, "must be the number of a user, and not 0"),
      ...must(isUserBelowRoot(group), group, "must be the number of a group, and not 0"),
    ];
  },
});

const noEscalation = containerRule({
  name: "containers-gain-no-privileges",
  description: "No process becomes more than the one that started it.",
  remedy: "set allowPrivilegeEscalation: false in the container's securityContext",
  check: ({ field }) => {
    const escalation = field.at("securityContext", "allowPrivilegeEscalation");
    return must(escalation.value === false, escalation, "must be false");
  },
});

const notPrivileged = containerRule({
  name: "containers-are-not-privileged",
  description: "A privileged container is root on the machine, whatever else is said.",
  remedy: "remove privileged, procMount and windowsOptions from the container's securityContext",
  check: ({ field }) => {
    const privileged = field.at("securityContext", "privileged");
    const mount = field.at("securityContext", "procMount");
    const windows = field.at("securityContext", "windowsOptions");
    return [
      ...must(!privileged.exists || privileged.value === false, privileged, "must be absent or false"),
      ...must(!mount.exists || mount.text === "Default", mount, "must be absent"),
      ...must(!windows.exists, windows, "must be absent"),
    ];
  },
});

const noCapabilities = containerRule({
  name: "containers-have-no-capabilities",
  description: "No program of a stack needs a capability of Linux.",
  remedy: 'set capabilities: {drop: ["ALL"]} in the container\'s securityContext, and add none',
  check: ({ field }) => {
    const drop = field.at("securityContext", "capabilities", "drop");
    const add = field.at("securityContext", "capabilities", "add");
    const dropsAll = drop.items.some(({ text }) => text === "ALL");
    return [
      ...must(dropsAll, drop, "must drop ALL"),
      ...must(!add.exists || (Array.isArray(add.value) && add.items.length === 0), add, "must be absent"),
    ];
  },
});

const readOnlyRoot = containerRule({
  name: "containers-have-a-read-only-root",
  description: "What an image contains is what runs: nothing is put beside it while it runs.",
  remedy: "set readOnlyRootFilesystem: true, and mount a volume where the program writes",
  check: ({ field }) => {
    const readOnly = field.at("securityContext", "readOnlyRootFilesystem");
    return must(readOnly.value === true, readOnly, "must be true");
  },
});

const confined = containerRule({
  name: "containers-are-confined",
  description: "The runtime's own filters of system calls (seccomp) and of access (AppArmor) are on.",
  remedy:
    "set seccompProfile: {type: RuntimeDefault} in the pod's securityContext, and no other for a container",
  check: (container, pod) => {
    const seccomp = securitySetting(container, pod, "seccompProfile").at("type");
    const appArmor = securitySetting(container, pod, "appArmorProfile").at("type");
    return [
      ...must(seccomp.text === "RuntimeDefault", seccomp, "must be RuntimeDefault"),
      ...must(!appArmor.exists || appArmor.text === "RuntimeDefault", appArmor, "must be RuntimeDefault"),
    ];
  },
});

/** `registry/name@sha256:<64 hexadecimal digits>`, with or without a tag that then means nothing. */
const imageByDigest = /^[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}$/;

const byDigest = containerRule({
  name: "images-are-named-by-digest",
  description: "A tag can mean another image tomorrow; a digest cannot.",
  remedy: "take the image from the release file, which `npx qalqan image` writes",
  check: ({ field }) => {
    const image = field.at("image");
    return must(imageByDigest.test(image.text ?? ""), image, "must be an image by digest: name@sha256:…");
  },
});

const isAmount = ({ value }: Field): boolean =>
  (typeof value === "string" || typeof value === "number") && Number.parseFloat(String(value)) > 0;

const bounded = containerRule({
  name: "containers-have-requests-and-limits",
  description: "What a program needs is set aside for it, and it takes nothing from others beyond its limit.",
  remedy: "set resources.requests and resources.limits, each for cpu and memory",
  check: ({ field, role }) => {
    // An API server takes no amounts for a container that is put into a pod for debugging.
    if (role === "debug") return [];
    return ["requests", "limits"].flatMap((side) =>
      ["cpu", "memory"].flatMap((resource) => {
        const amount = field.at("resources", side, resource);
        return must(isAmount(amount), amount, "must be an amount above 0");
      }),
    );
  },
});

/** Longer than any start takes (s): PostgreSQL after a crash, or screening that reads its whole table. */
const startSecondsMax = 900;
const probeNames = ["startupProbe", "readinessProbe", "livenessProbe"];
const handlers = ["httpGet", "tcpSocket", "grpc", "exec"];

const probed = containerRule({
  name: "containers-are-probed",
  description:
    "A cluster knows of each program when it has started, when it may be asked and when it is stuck; " +
    "a start that does not end is noticed.",
  remedy:
    "give each container a startupProbe, a readinessProbe and a livenessProbe that ask one of its own ports; " +
    `failureThreshold × periodSeconds of the startupProbe is at most ${startSecondsMax} s`,
  check: ({ field, role }) => {
    if (role !== "runs") return [];
    return [
      ...probeNames.flatMap((name) => probeViolations(field, field.at(name))),
      ...startViolations(field),
    ];
  },
});

function probeViolations(container: Field, probe: Field): readonly Violation[] {
  const handler = handlers.map((name) => probe.at(name)).find(({ exists }) => exists);
  if (handler === undefined) return [probe.violation(`must ask by one of ${handlers.join(", ")}`)];
  const port = handler.at("port");
  if (!port.exists && handler.path.endsWith("exec")) return [];
  const isOwn = container
    .at("ports")
    .items.some((own) => [own.at("name").value, own.at("containerPort").value].includes(port.value));
  return must(isOwn, port, "must be a port of the container itself");
}

function startViolations(container: Field): readonly Violation[] {
  const probe = container.at("startupProbe");
  // Defaults of Kubernetes, where nothing is said.
  const seconds = (probe.at("failureThreshold").number ?? 3) * (probe.at("periodSeconds").number ?? 10);
  const threshold = probe.at("failureThreshold");
  return must(
    seconds <= startSecondsMax,
    threshold,
    `a start may take ${seconds} s by it; must be at most ${startSecondsMax} s`,
  );
}

export const containerRules: readonly Rule[] = [
  notAsRoot,
  noEscalation,
  notPrivileged,
  noCapabilities,
  readOnlyRoot,
  confined,
  byDigest,
  bounded,
  probed,
];
