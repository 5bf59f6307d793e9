import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { TestClusters } from "../clusters.ts";

const intervalMs = 1_000;
/** RFC 5737: an address for examples. */
const address = "192.0.2.1";

const serviceSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z.object({ type: z.string() }),
  status: z.object({ loadBalancer: z.object({ ingress: z.array(z.unknown()).default([]) }) }),
});

/** Stands for the load balancers of clusters: gives an address to each Service that waits for one. */
export class LoadBalancers implements AsyncDisposable {
  readonly #clusters: TestClusters;
  readonly #names: readonly string[];
  readonly #ending = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(clusters: TestClusters, names: readonly string[]) {
    this.#clusters = clusters;
    this.#names = names;
    this.#done = this.#serve();
    // Whoever ends it learns of a failure.
    this.#done.catch(() => undefined);
  }

  async #serve(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await Promise.all(this.#names.map((name) => this.#giveAddresses(name)));
      await sleep(intervalMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  async #giveAddresses(cluster: string): Promise<void> {
    const services = (await this.#clusters.list(cluster, "services")).map((each) =>
      serviceSchema.parse(each),
    );
    const status = { loadBalancer: { ingress: [{ ip: address }] } };
    const patch = ["--subresource=status", "--type=merge", `--patch=${JSON.stringify({ status })}`];
    for (const { metadata } of services.filter(isWaiting)) {
      const service = ["service", metadata.name, `--namespace=${metadata.namespace}`];
      await this.#clusters.kubectl(cluster, ["patch", ...service, ...patch]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#done;
  }
}

const isWaiting = ({ spec, status }: z.infer<typeof serviceSchema>): boolean =>
  spec.type === "LoadBalancer" && status.loadBalancer.ingress.length === 0;
