import { createHash } from "node:crypto";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** One object of Kubernetes, as it is sent to an API server. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: Json | undefined;
}

/** Digits of a content hash in a name: two contents of one name in a namespace will not share them. */
const hashDigits = 10;

/** Name of immutable configuration: another content has another name, so whoever uses it starts anew. */
export function contentName(name: string, content: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  for (const key of Object.keys(content).sort()) hash.update(`${key}\0${content[key] ?? ""}\0`);
  return `${name}-${hash.digest("hex").slice(0, hashDigits)}`;
}

/** `Deployment qalqan-astana/centre`, for people. */
export function titleOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}
