import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { rulesOf } from "./network-policies.ts";

const watched = {
  policies: "/apis/networking.k8s.io/v1/networkpolicies",
  pods: "/api/v1/pods",
  namespaces: "/api/v1/namespaces",
} as const;
type Watched = keyof typeof watched;

const againMs = 200;
/** Changes come in groups: a roll-out changes many pods. */
const settleMs = 30;

interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: { readonly metadata?: { readonly uid?: string } };
}

/**
 * Enforces network policies on the node, which kube-proxy does not: keeps the
 * rules of its packet filter as the policies and the pods of the moment say.
 */
export class PolicyEnforcer {
  readonly #socket: string;
  readonly #setRules: (rules: string) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #objects: Record<Watched, Map<string, unknown>> = {
    policies: new Map(),
    pods: new Map(),
    namespaces: new Map(),
  };
  #isChanged = false;
  #applying: Promise<void> | undefined;

  /**
   * @param socket Unix socket of a `kubectl proxy`
   * @param setRules carries out a script of nft
   */
  constructor(
    socket: string,
    setRules: (rules: string) => Promise<void>,
    onFailure: (error: unknown) => void,
  ) {
    this.#socket = socket;
    this.#setRules = setRules;
    this.#onFailure = onFailure;
    for (const kind of Object.keys(watched) as Watched[]) void this.#keepWatching(kind);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#applying;
  }

  async #keepWatching(kind: Watched): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // The socket is not there yet, or the API server has ended the watch, as it does from time to time.
      await this.#watch(kind).catch(() => undefined);
      await sleep(againMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #watch(kind: Watched): Promise<void> {
    const { signal } = this.#stop;
    const asked = request({ socketPath: this.#socket, path: `${watched[kind]}?watch=true`, signal });
    asked.end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    // A watch from no version begins with all that is there.
    this.#objects[kind].clear();
    for await (const line of createInterface(answer)) this.#see(kind, JSON.parse(line) as WatchEvent);
  }

  #see(kind: Watched, { type, object }: WatchEvent): void {
    const uid = object.metadata?.uid;
    if (uid === undefined) return;
    if (type === "DELETED") this.#objects[kind].delete(uid);
    else this.#objects[kind].set(uid, object);
    this.#isChanged = true;
    this.#applying ??= this.#apply();
  }

  async #apply(): Promise<void> {
    while (this.#isChanged && !this.#stop.signal.aborted) {
      await sleep(settleMs);
      this.#isChanged = false;
      const { policies, pods, namespaces } = this.#objects;
      try {
        await this.#setRules(
          rulesOf({
            policies: [...policies.values()],
            pods: [...pods.values()],
            namespaces: [...namespaces.values()],
          }),
        );
      } catch (error) {
        if (!this.#stop.signal.aborted) this.#onFailure(error);
      }
    }
    this.#applying = undefined;
  }
}
