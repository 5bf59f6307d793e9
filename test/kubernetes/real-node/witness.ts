import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { baseEntries, serviceUser } from "#infra/image/base.ts";
import { copy, layer } from "#infra/image/entries.ts";
import type { Json, Manifest } from "#infra/kubernetes/manifest.ts";
import { onPath } from "#infra/toolchain/locate.mjs";
import { buildTestImage, type NodeImage } from "./images.ts";

/** The image: Node and the libraries that it is linked with. */
export async function buildWitnessImage(out: string): Promise<NodeImage> {
  const node = join(dirname(createRequire(import.meta.url).resolve("node/package.json")), "bin", "node");
  const linked = execFileSync(onPath("ldd") ?? "", [node], { encoding: "utf8" });
  const libraries = linked.match(/\/\S+/g) ?? [];
  const files = [...new Set(libraries)].map((file) => copy(file.slice(1), file));
  return buildTestImage({
    name: "node",
    out,
    layers: [layer("node", [...baseEntries(), copy("usr/local/bin/node", node), ...files])],
    config: { entrypoint: ["/usr/local/bin/node"] },
  });
}

export const witnessPort = 8080;
const source = readFileSync(join(import.meta.dirname, "witness-program.mjs"), "utf8");

export interface Witness {
  readonly name: string;
  readonly namespace: string;
  readonly image: NodeImage;
  /** Instead of the program that tells what it sees. */
  readonly program?: string;
}

/** A namespace for pods without rights. */
export function restrictedNamespace(name: string): Manifest {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

/** A Deployment of one pod that tells over HTTP what it sees, and its Service. */
export function witnessDeployment(witness: Witness): readonly Manifest[] {
  const { name, namespace } = witness;
  const spec = { selector: selectorOf(witness), template: template(witness) };
  return [
    { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace }, spec },
    service(witness, name),
  ];
}

/** The same as a StatefulSet with a volume, and a Service for each of its pods. */
export function witnessStatefulSet(witness: Witness): readonly Manifest[] {
  const { name, namespace } = witness;
  const podsName = `${name}-pods`;
  const claim = {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  const spec = {
    serviceName: podsName,
    selector: selectorOf(witness),
    template: template(witness, [{ name: "data", mountPath: "/data" }]),
    volumeClaimTemplates: [claim],
  };
  return [
    { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name, namespace }, spec },
    service(witness, name),
    service(witness, podsName, { clusterIP: "None" }),
  ];
}

const selectorOf = ({ name }: Witness) => ({ matchLabels: { app: name } });

function service({ name, namespace }: Witness, called: string, more: Record<string, Json> = {}): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: called, namespace },
    spec: {
      selector: { app: name },
      ports: [{ name: "http", port: witnessPort, targetPort: "http" }],
      ...more,
    },
  };
}

/** As strict as a restricted namespace wants it. */
function template({ name, image, program = source }: Witness, volumeMounts: readonly Json[] = []): Json {
  return {
    metadata: { labels: { app: name } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 2,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: serviceUser,
        runAsGroup: serviceUser,
        fsGroup: serviceUser,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "witness",
          image: image.reference,
          args: ["--input-type=module", "--eval", program],
          env: [{ name: "PORT", value: String(witnessPort) }],
          ports: [{ name: "http", containerPort: witnessPort }],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          readinessProbe: { httpGet: { path: "/ready", port: "http" }, periodSeconds: 1 },
          volumeMounts,
        },
      ],
    },
  };
}
