/** A carrier's person puts a trunk into service, which the command line has no word for: parameters are JSON. */
import { readFileSync } from "node:fs";
import { bearer, call, channelCredentials, channelOptions } from "#platform/grpc-client.ts";
import { CentreClient } from "#proto/qalqan/centre/v1/centre.ts";
import type { ClientFiles } from "./deployment.ts";

export interface TrunkWish {
  /** `host:port` of centre. */
  readonly address: string;
  readonly client: ClientFiles;
  /** File with the token of a carrier's person. */
  readonly token: string;
  readonly trunk: string;
  readonly operator: string;
}

const wish = JSON.parse(process.argv[2] ?? "") as TrunkWish;
const read = (file: string) => readFileSync(file, "utf8");
const { ca, cert, key } = wish.client;
const credentials = channelCredentials({ ca: read(ca), cert: read(cert), key: read(key) });
const centre = new CentreClient(wish.address, credentials, channelOptions);
const options = { metadata: bearer(read(wish.token)) };
const { trunk, operator } = wish;
await call(
  centre.putTrunk.bind(centre),
  { trunk, operator, direction: "international", sbcAddress: "sbc.example.kz:5061" },
  options,
);
await call(centre.setTrunkMode.bind(centre), { trunk, mode: "enforce", percent: 100 }, options);
centre.close();
