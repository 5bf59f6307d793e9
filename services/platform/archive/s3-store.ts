import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import type { ObjectStore } from "./object-store.ts";

/** One request, a whole segment among them (ms). */
const requestWaitMs = 60_000;
/** How often a request is sent again that the server refused as too many or failed with 5xx, each after a longer wait. */
const retriesMax = 4;

/** Where a bucket is, and who writes. */
export interface S3Place {
  /** `https://host[:port]` */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** In front of every name; empty, or ending in `/`. */
  readonly prefix: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The object storage did not do what it was asked; the message has its own words. */
export class ObjectStorageFailed extends Error {
  override readonly name = "ObjectStorageFailed";
}

/**
 * Objects of a bucket, by the S3 interface: PUT, GET and ListObjectsV2, each
 * signed (Signature Version 4), the bytes of an object too. How long objects
 * stay, and that nobody deletes them, is a rule of the bucket (Object Lock).
 */
export class S3Store implements ObjectStore {
  readonly #place: S3Place;
  readonly #client: AwsClient;

  constructor(place: S3Place) {
    this.#place = place;
    const { accessKeyId, secretAccessKey, region } = place;
    this.#client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      region,
      service: "s3",
      retries: retriesMax,
    });
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const answer = await this.#ask(this.#urlOf(name), {
      method: "PUT",
      body: Buffer.from(bytes),
      // Written once: an object of that name is not replaced. A server that does not know the header replaces it
      // by the same bytes, for their SHA-256 is part of the name.
      headers: { "if-none-match": "*", "x-amz-content-sha256": sha256 },
    });
    if (!answer.ok && answer.status !== 412) throw await failed(`PUT ${name}`, answer);
  }

  async get(name: string): Promise<Buffer> {
    const answer = await this.#ask(this.#urlOf(name), { method: "GET" });
    if (!answer.ok) throw await failed(`GET ${name}`, answer);
    return Buffer.from(await answer.arrayBuffer());
  }

  async list(prefix: string): Promise<string[]> {
    const own = this.#place.prefix;
    const names: string[] = [];
    for (;;) {
      const url = new URL(this.#bucketUrl());
      url.searchParams.set("list-type", "2");
      url.searchParams.set("prefix", own + prefix);
      const last = names.at(-1);
      if (last !== undefined) url.searchParams.set("start-after", own + last);
      const answer = await this.#ask(url.href, { method: "GET" });
      if (!answer.ok) throw await failed(`list ${prefix}`, answer);
      const text = await answer.text();
      // Our names have no character that XML escapes.
      const keys = Array.from(text.matchAll(/<Key>([^<]*)<\/Key>/g), ([, key = ""]) => key);
      names.push(...keys.filter((key) => key.startsWith(own)).map((key) => key.slice(own.length)));
      if (keys.length === 0 || !/<IsTruncated>true<\/IsTruncated>/.test(text)) return names;
    }
  }

  #bucketUrl(): string {
    return `${this.#place.endpoint.replace(/\/+$/, "")}/${this.#place.bucket}`;
  }

  #urlOf(name: string): string {
    return `${this.#bucketUrl()}/${this.#place.prefix}${name}`;
  }

  async #ask(url: string, request: RequestInit): Promise<Response> {
    try {
      return await this.#client.fetch(url, { ...request, signal: AbortSignal.timeout(requestWaitMs) });
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new ObjectStorageFailed(`${new URL(url).host} does not answer: ${String(reason)}`);
    }
  }
}

async function failed(what: string, answer: Response): Promise<ObjectStorageFailed> {
  const words = (await answer.text()).slice(0, 300);
  return new ObjectStorageFailed(`${what}: ${answer.status} ${words}`);
}
