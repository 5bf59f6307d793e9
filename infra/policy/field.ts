import { titleOf, type Manifest } from "../kubernetes/manifest.ts";

/** Something in a manifest that a rule forbids. */
export interface Violation {
  /** `Deployment qalqan-<site>/centre`. */
  readonly object: string;
  /** Path of the field, as API servers write it: `spec.template.spec.containers[0].image`. */
  readonly field: string;
  /** What is there, as JSON; cut when long, never a secret. */
  readonly value: string;
  /** What would be right. */
  readonly message: string;
}

const valueCharactersMax = 120;
const absent = "(absent)";

/** A place in a manifest, whether or not something is there. Reading never fails, whatever the manifest is. */
export class Field {
  readonly manifest: Manifest;
  readonly path: string;
  readonly value: unknown;

  /** The object itself. */
  static of(manifest: Manifest): Field {
    return new Field(manifest, "", manifest);
  }

  private constructor(manifest: Manifest, path: string, value: unknown) {
    this.manifest = manifest;
    this.path = path;
    this.value = value;
  }

  get exists(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  get text(): string | undefined {
    return typeof this.value === "string" ? this.value : undefined;
  }

  get number(): number | undefined {
    return typeof this.value === "number" ? this.value : undefined;
  }

  /** The field of that name, one in another for several names. */
  at(...keys: readonly string[]): Field {
    return keys.reduce<Field>((field, key) => field.child(key), this);
  }

  /** Of a list; empty when it is none. */
  get items(): readonly Field[] {
    const { value } = this;
    if (!Array.isArray(value)) return [];
    return value.map((item: unknown, index) => new Field(this.manifest, `${this.path}[${index}]`, item));
  }

  /** Names of the fields of an object; empty when it is none. */
  get keys(): readonly string[] {
    return isObject(this.value) ? Object.keys(this.value) : [];
  }

  /** Fields whose values are texts, as labels and data are. */
  get texts(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.keys.flatMap((key) => {
        const { text } = this.child(key);
        return text === undefined ? [] : [[key, text]];
      }),
    );
  }

  /** @param value instead of what is there, when that must not be shown */
  violation(message: string, value = shown(this.value)): Violation {
    return { object: titleOf(this.manifest), field: this.path, value, message };
  }

  private child(key: string): Field {
    const isName = /^[A-Za-z_][\w-]*$/.test(key);
    const path = isName ? `${this.path}${this.path === "" ? "" : "."}${key}` : `${this.path}["${key}"]`;
    const has = isObject(this.value) && Object.hasOwn(this.value, key);
    return new Field(this.manifest, path, has ? this.value[key] : undefined);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === undefined) return absent;
  const text = JSON.stringify(value);
  return text.length > valueCharactersMax ? `${text.slice(0, valueCharactersMax)}…` : text;
}
