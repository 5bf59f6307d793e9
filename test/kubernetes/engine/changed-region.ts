import * as pulumi from "@pulumi/pulumi";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { withValue } from "../../policy/changes.ts";

/**
 * The program of regions, in which one field of one object has another value,
 * as the stack's configuration says: `test:object`, `test:field`, `test:value` (JSON).
 */
const config = new pulumi.Config("test");
const object = config.require("object");
const field = config.require("field");
const value = config.requireObject<unknown>("value");

pulumi.runtime.registerStackTransformation(({ name, props, opts }) =>
  name === object ? { props: withValue(props as Manifest, field, value), opts } : undefined,
);
await import("#infra/kubernetes/region/main.ts");
