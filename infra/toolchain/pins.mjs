/**
 * The tools that are built from pinned Go modules, one folder beside this file
 * for each module. Plain JavaScript without packages, since it also runs before
 * `npm ci`, on whatever Node the machine has.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Parts of one control plane and its node belong together: those of another
 * version are not looked for, but for an API server that somebody names on
 * purpose, which must not be older than the controllers that talk to it.
 */
const pins = [
  {
    family: "nats",
    module: "github.com/nats-io/nats-server/v2",
    tools: {
      "nats-server": {
        package: "github.com/nats-io/nats-server/v2",
        coldBuildSeconds: 30,
        elsewhere: {
          places: ["path"],
          versionMin: "2.14.3",
          versionParameters: ["--version"],
          releases: "https://github.com/nats-io/nats-server/releases",
        },
      },
    },
  },
  {
    family: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    tools: {
      etcd: {
        package: "go.etcd.io/etcd/server/v3",
        flag: "--cluster",
        coldBuildSeconds: 30,
        elsewhere: {
          places: ["assets", "path"],
          versionMin: "3.6.0",
          versionParameters: ["--version"],
          releases: "https://github.com/etcd-io/etcd/releases",
        },
      },
    },
  },
  {
    family: "kubernetes",
    module: "k8s.io/kubernetes",
    /** The version that these binaries tell each other; without it they say v0.0.0, and refuse one another. */
    linkerFlags: (version) => {
      const [major, minor] = version.split(".");
      const stamp = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
      return Object.entries(stamp).map(
        ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
      );
    },
    tools: {
      "kube-apiserver": {
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        flag: "--cluster",
        coldBuildSeconds: 140,
        elsewhere: {
          places: ["assets"],
          versionMin: "1.36.0",
          versionParameters: ["--version"],
          releases: "https://kubernetes.io/releases/download/",
        },
      },
      "kube-controller-manager": {
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        flag: "--cluster",
        coldBuildSeconds: 40,
      },
      "kube-scheduler": {
        package: "k8s.io/kubernetes/cmd/kube-scheduler",
        flag: "--cluster",
        coldBuildSeconds: 5,
      },
      kubectl: {
        package: "k8s.io/kubernetes/cmd/kubectl",
        flag: "--cluster",
        coldBuildSeconds: 15,
        // One minor version older than the API server is what Kubernetes allows (version skew policy).
        elsewhere: {
          places: ["assets", "path"],
          versionMin: "1.35.0",
          versionParameters: ["version", "--client"],
          releases: "https://kubernetes.io/releases/download/",
        },
      },
      kubelet: { package: "k8s.io/kubernetes/cmd/kubelet", flag: "--node", coldBuildSeconds: 15 },
      "kube-proxy": { package: "k8s.io/kubernetes/cmd/kube-proxy", flag: "--node", coldBuildSeconds: 10 },
    },
  },
  {
    family: "kwok",
    module: "sigs.k8s.io/kwok",
    tools: {
      kwok: {
        package: "sigs.k8s.io/kwok/cmd/kwok",
        flag: "--cluster",
        coldBuildSeconds: 65,
        elsewhere: {
          places: ["path"],
          versionMin: "0.8.0",
          versionParameters: ["--version"],
          releases: "https://github.com/kubernetes-sigs/kwok/releases",
        },
      },
    },
  },
  {
    family: "coredns",
    module: "github.com/coredns/coredns",
    tools: { coredns: { package: ".", flag: "--node", coldBuildSeconds: 65 } },
  },
  // For the tests of the archive.
  {
    family: "s3",
    module: "github.com/rclone/gofakes3",
    tools: { "object-storage": { package: ".", flag: "--cluster", coldBuildSeconds: 25 } },
  },
  { family: "pause", tools: { pause: { package: ".", flag: "--node", coldBuildSeconds: 5 } } },
];

/** Names of the tools that are built, in order: all of them, or those that a flag of the set-up asks for. */
export function pinnedTools(flag) {
  return pins.flatMap(({ tools }) => Object.keys(tools).filter((name) => tools[name].flag === flag));
}

/** What is known of a tool, and the pin that it is built from. */
export function pinnedTool(name) {
  const pin = pins.find(({ tools }) => name in tools);
  if (pin === undefined) throw new RangeError(`no pin builds ${name}`);
  return { ...pin.tools[name], pin: readPin(pin) };
}

/** The pin on disk; its key changes with everything that a binary is made of. */
function readPin({ family, module, linkerFlags }) {
  const folder = join(import.meta.dirname, family);
  const files = readdirSync(folder).toSorted();
  const goModule = readFileSync(join(folder, "go.mod"), "utf8");
  const goVersion = /^go ([0-9.]+)$/m.exec(goModule)?.[1];
  const version = module === undefined ? undefined : requiredVersion(goModule, module);
  if (goVersion === undefined || (module !== undefined && version === undefined)) {
    throw new Error(`${join(folder, "go.mod")} must name the Go version, and the version of ${module}`);
  }
  const linker = ["-s", "-w", ...(linkerFlags?.(version) ?? [])];
  const buildFlags = ["-mod=readonly", "-trimpath", "-ldflags", linker.join(" ")];
  const hash = createHash("sha256").update(buildFlags.join(" "));
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  return { family, folder, files, version, goVersion, buildFlags, key: hash.digest("hex").slice(0, 12) };
}

function requiredVersion(goModule, module) {
  const line = goModule
    .split("\n")
    .find((text) => text.replace(/^(require)?\s+/, "").startsWith(`${module} v`));
  return /\sv([0-9.]+)/.exec(line ?? "")?.[1];
}
