import type { Manifest } from "#infra/kubernetes/manifest.ts";

/** Another stack, made of one that is in order. */
export type Change = (manifests: readonly Manifest[]) => readonly Manifest[];

const contentHash = /-[0-9a-f]{10}$/;

/** `Deployment centre`, `ConfigMap nats`: without the namespace, and without the hash of the content; `Namespace`. */
export function isCalled({ kind, metadata }: Manifest, title: string): boolean {
  if (kind === "Namespace") return title === kind;
  return (
    title === `${kind} ${metadata.name}` || title === `${kind} ${metadata.name.replace(contentHash, "")}`
  );
}

/** Puts a value into an object, or takes out what is there when it is `undefined`. */
export function setting(title: string, path: string, value: unknown): Change {
  return (manifests) =>
    manifests.map((manifest) => (isCalled(manifest, title) ? withValue(manifest, path, value) : manifest));
}

/** Changes what is there. */
export function changing(title: string, path: string, change: (value: unknown) => unknown): Change {
  return (manifests) =>
    manifests.map((manifest) =>
      isCalled(manifest, title) ? withValue(manifest, path, change(valueAt(manifest, path))) : manifest,
    );
}

function valueAt(manifest: Manifest, path: string): unknown {
  return stepsOf(path).reduce<unknown>(
    (place, step) => (place as Readonly<Record<string, unknown>> | undefined)?.[step],
    manifest,
  );
}

export function withValue(manifest: Manifest, path: string, value: unknown): Manifest {
  const copy = structuredClone(manifest);
  const steps = stepsOf(path);
  const last = steps.pop();
  if (last === undefined) throw new Error("a path must not be empty");
  let place: Record<string, unknown> = copy;
  for (const step of steps) {
    place[step] ??= {};
    place = place[step] as Record<string, unknown>;
  }
  if (value === undefined) delete place[last];
  else place[last] = value;
  return copy;
}

/** `spec.ports[0]["a.b"]` → `spec`, `ports`, `0`, `a.b`. */
function stepsOf(path: string): string[] {
  return Array.from(
    path.matchAll(/\["(?<quoted>[^"]+)"\]|\[(?<index>\d+)\]|(?<name>[A-Za-z_][\w-]*)/g),
    ({ groups }) => groups?.["quoted"] ?? groups?.["index"] ?? groups?.["name"] ?? "",
  );
}

export const without =
  (title: string): Change =>
  (manifests) =>
    manifests.filter((manifest) => !isCalled(manifest, title));

/** Adds a copy of an object under another name, with something changed. */
export function copied(title: string, name: string, path: string, value: unknown): Change {
  return (manifests) => [
    ...manifests,
    ...manifests
      .filter((manifest) => isCalled(manifest, title))
      .map((manifest) => withValue(withValue(manifest, "metadata.name", name), path, value)),
  ];
}

/** Adds an object in the namespace of the others. */
export function added(object: Omit<Manifest, "metadata"> & { readonly kind: string }, name: string): Change {
  return (manifests) => [
    ...manifests,
    { ...object, metadata: { name, ...namespaceOf(manifests) } } as unknown as Manifest,
  ];
}

function namespaceOf(manifests: readonly Manifest[]): { namespace: string } | undefined {
  const namespace = manifests.find(({ kind }) => kind === "Namespace")?.metadata.name;
  return namespace === undefined ? undefined : { namespace };
}

export const allOf =
  (...changes: readonly Change[]): Change =>
  (manifests) =>
    changes.reduce((changed, change) => change(changed), manifests);
