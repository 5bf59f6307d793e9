import type { Component } from "./component.ts";
import type { Layer } from "./entries.ts";
import type { ImageConfig } from "./image.ts";
import type { Packages } from "./packages.ts";

/** What goes into an image, and what its bill of materials says of that. */
export interface ImageContent {
  readonly title: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** Where the source is, when package.json says so. */
  readonly source?: string;
  readonly layers: readonly Layer[];
  readonly config: Omit<ImageConfig, "labels">;
  /** Everything but the packages of npm. */
  readonly components: readonly Component[];
  readonly packages: Packages;
}
