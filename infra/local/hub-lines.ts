import { readFileSync } from "node:fs";
import { systemSubject } from "#proto/names.ts";
import type { CertificateFiles } from "./authority.ts";
import { LocalRunError } from "./errors.ts";

/** A node of the hub as its own account reaches it. */
export interface HubNode {
  /** As people name it. */
  readonly name: string;
  /** `host:port` for clients. */
  readonly address: string;
}

const answerWaitMs = 5_000;
/** More than a node of the hub has. */
const connectionsMax = 10_000;

interface Answer {
  readonly error?: { readonly description?: string };
  readonly data?: {
    readonly connections?: readonly { cid: number; kind?: string; authorized_user?: string }[];
  };
}

/**
 * Has a node of the hub load its accounts, and ends every line to it whose key
 * they do not name: what `services/reloader` does beside the hub on clusters.
 *
 * @param keys public nkeys that the accounts name
 * @throws LocalRunError `wrong-state` when the node does not answer, or refuses
 */
export async function reloadAndEndLines(
  node: HubNode,
  keys: ReadonlySet<string>,
  client: CertificateFiles,
  systemSeedFile: string,
): Promise<void> {
  const { connect, nkeyAuthenticator } = await import("nats");
  try {
    const connection = await connect({
      servers: node.address,
      authenticator: nkeyAuthenticator(readFileSync(systemSeedFile)),
      tls: { caFile: client.ca, certFile: client.certificate, keyFile: client.key },
      timeout: answerWaitMs,
      reconnect: false,
      ignoreClusterUpdates: true,
    });
    try {
      const server = connection.info?.server_id ?? "";
      const ask = async (subject: string, question: object = {}): Promise<Answer> => {
        const message = await connection.request(subject, JSON.stringify(question), {
          timeout: answerWaitMs,
        });
        const answer = message.json<Answer>();
        if (answer.error !== undefined) throw new Error(answer.error.description ?? "refused");
        return answer;
      };
      await ask(systemSubject.reload(server));
      const { data } = await ask(systemSubject.connections(server), { auth: true, limit: connectionsMax });
      for (const { cid, kind, authorized_user: key } of data?.connections ?? [])
        if (kind === "Leafnode" && !keys.has(key ?? "")) await ask(systemSubject.kick(server), { cid });
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw new LocalRunError({
      code: "wrong-state",
      field: "service",
      value: `capital/${node.name}`,
      message:
        `this node of the hub has not taken the new accounts: ` +
        (error instanceof Error ? error.message : String(error)),
      remedy: "the change is written; see that the node runs, then give the same command again",
    });
  }
}
