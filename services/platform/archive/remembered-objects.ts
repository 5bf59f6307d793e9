import type { ObjectReader } from "./object-store.ts";

/** Segments have some MiB: what one search goes back to, and no more. */
const objectsMax = 16;

/** Objects and lists of names as they were when they were first asked for, the last few of them. */
export class RememberedObjects implements ObjectReader {
  readonly #store: ObjectReader;
  readonly #objects = new Map<string, Promise<Buffer>>();
  readonly #lists = new Map<string, Promise<string[]>>();

  constructor(store: ObjectReader) {
    this.#store = store;
  }

  get(name: string): Promise<Buffer> {
    const object = this.#objects.get(name) ?? this.#store.get(name);
    // The one that was asked for last goes last.
    this.#objects.delete(name);
    this.#objects.set(name, object);
    for (const oldest of this.#objects.keys()) {
      if (this.#objects.size <= objectsMax) break;
      this.#objects.delete(oldest);
    }
    return object;
  }

  list(prefix: string): Promise<string[]> {
    const names = this.#lists.get(prefix) ?? this.#store.list(prefix);
    this.#lists.set(prefix, names);
    return names;
  }
}
