import type { Change } from "./changes.ts";
import { setting } from "./changes.ts";
import type { StackName } from "./stacks.ts";

/** A stack in which one rule is broken, and what must be said of it. */
export interface Case {
  readonly rule: string;
  readonly stack: StackName;
  readonly change: Change;
  /** `Deployment centre`: without namespace and without the hash of the content. */
  readonly object: string;
  readonly field: string;
  readonly value: string | RegExp;
  /** Other rules that the same change breaks; `any` where that is beside the point. */
  readonly also: readonly string[] | "any";
}

interface Otherwise {
  readonly change?: Change;
  /** Field and value that are named, where they are not those that were changed. */
  readonly at?: string;
  readonly found?: string | RegExp;
  readonly also?: Case["also"];
}

/** Cases that change one field of an object. */
export const breaking =
  (stack: StackName, object: string) =>
  (rule: string, field: string, value: unknown, otherwise: Otherwise = {}): Case => ({
    rule,
    stack,
    change: otherwise.change ?? setting(object, field, value),
    object,
    field: otherwise.at ?? field,
    value: otherwise.found ?? (value === undefined ? "(absent)" : JSON.stringify(value)),
    also: otherwise.also ?? [],
  });
