import { credentials, type ChannelCredentials } from "@grpc/grpc-js";
import { bearer, channelCredentials, channelOptions } from "#platform/grpc-client.ts";
import { CentreClient } from "#proto/qalqan/centre/v1/centre.ts";
import { CoordinationClient } from "#proto/qalqan/coordination/v1/coordination.ts";
import { ScreeningClient } from "#proto/qalqan/screening/v1/screening.ts";
import { readLogin } from "./login-file.ts";
import type { GlobalOptions } from "./options.ts";
import { note } from "./output.ts";
import { localPerson, shownPerson, type Who } from "./people.ts";
import { elsewhere, localRun, readOptionFile, type Place } from "./place.ts";
import { Remote } from "./remote.ts";

export type CentreRemote = Remote<CentreClient>;
export type CoordinationRemote = Remote<CoordinationClient>;
export type ScreeningRemote = Remote<ScreeningClient>;

type ServiceConstructor<Client> = new (
  address: string,
  channel: ChannelCredentials,
  options: typeof channelOptions,
) => Client;

/** How long a token of the local identity is honoured: one command. */
const tokenSeconds = 3_600;

/**
 * What one command asks of services: it knows where they are and as whom it
 * acts. Close it at the end, or the process goes on living.
 */
export class Session implements Disposable {
  readonly place: Place;
  readonly #channel: ChannelCredentials;
  /** The token of a login or of --token; undefined: sample people. */
  readonly #token: string | undefined;
  readonly #clients = new Map<string, { close(): void }>();
  readonly #announced = new Set<string>();

  constructor(place: Place, token: string | undefined) {
    this.place = place;
    this.#token = token;
    const { ca, cert, key } = place.tls;
    this.#channel =
      cert === undefined || key === undefined
        ? credentials.createSsl(Buffer.from(ca))
        : channelCredentials({ ca, cert, key });
  }

  /** Whether a person was chosen beforehand: then sample people play no part. */
  get isLoggedIn(): boolean {
    return this.#token !== undefined;
  }

  async centre(region: string, who: Who, mode: "aloud" | "quiet" = "aloud"): Promise<CentreRemote> {
    return this.#remote(CentreClient, this.place.address("centre", region), who, mode);
  }

  async coordination(who: Who, mode: "aloud" | "quiet" = "aloud"): Promise<CoordinationRemote> {
    return this.#remote(CoordinationClient, this.place.address("coordination", ""), who, mode);
  }

  async screening(region: string, who: Who): Promise<ScreeningRemote> {
    // A switch asks without being a person: its certificate is enough.
    return this.#remote(ScreeningClient, this.place.address("screening", region), who, "quiet");
  }

  /** Says once per command and person as whom it acts. */
  announce(who: Who): void {
    if (this.isLoggedIn) return;
    const shown = shownPerson(localPerson(who));
    if (this.#announced.has(shown)) return;
    this.#announced.add(shown);
    note(`acting as ${shown}`);
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  async #remote<Client extends { close(): void }>(
    Service: ServiceConstructor<Client>,
    address: string,
    who: Who,
    mode: "aloud" | "quiet",
  ): Promise<Remote<Client>> {
    const token = this.#token ?? (await this.place.mintToken(localPerson(who), tokenSeconds));
    if (mode === "aloud") this.announce(who);
    const key = `${Service.name} ${address}`;
    const known = this.#clients.get(key) as Client | undefined;
    const client = known ?? new Service(address, this.#channel, channelOptions);
    this.#clients.set(key, client);
    return new Remote(client, bearer(token));
  }
}

/** The same run, as its sample people, whoever is logged in. @throws LocalRunError `not-running` */
export async function openSampleSession(options: GlobalOptions): Promise<Session> {
  return new Session(await localRun(options), undefined);
}

/**
 * @throws CommandFailed when nothing runs in the data folder, WrongUse when
 *   --server lacks what goes with it
 */
export async function openSession(options: GlobalOptions): Promise<Session> {
  if (options.server !== undefined) {
    const { place, token } = elsewhere(options.server, options);
    return new Session(place, token);
  }
  const place = await localRun(options);
  return new Session(
    place,
    options.token === undefined ? readLogin(options)?.token : readOptionFile("token", options.token),
  );
}
