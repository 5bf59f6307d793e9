import { generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { z } from "zod";
import type { Secret, Stack, WorkloadName } from "../blueprint/stack.ts";
import { Problem } from "../problem.ts";
import { bridgeTo, dayMs, issueCertificate, makeAuthority, type CertificateAndKey } from "./certificates.ts";
import { makeNkey, publicNkeyOf } from "./nkey.ts";
import { publicSigningKey, signingKeySchema, type PublicParts } from "./public-keys.ts";

const certificateLifeDays = 365;
/** Certificates are renewed when less than this is left of them … */
export const renewalDays = 60;
/** … and are not rolled out any more with less than this. */
export const endingDays = 14;

/** What a site needs keys for. */
export interface KeyOrder {
  readonly stack: Stack;
  /** Names and addresses under which workloads are reached from outside of their cluster. */
  readonly hosts: Readonly<Partial<Record<WorkloadName, readonly string[]>>>;
}

const pair = z.strictObject({ certificate: z.string(), key: z.string() });

export const siteKeysSchema = z.strictObject({
  site: z.string(),
  madeAt: z.iso.datetime(),
  authority: pair,
  /** The following by the name of the secret. */
  certificates: z.record(z.string(), pair),
  /** Seeds. */
  nkeys: z.record(z.string(), z.string()),
  /** Hexadecimal digits. */
  random: z.record(z.string(), z.string()),
  /** PKCS 8, PEM. */
  signingKeys: z.record(z.string(), z.string()),
  formerSigningKeys: z.record(z.string(), z.array(signingKeySchema)),
  /** While keys are rotated. */
  previous: z
    .strictObject({
      /** Certificate of the authority before. */
      authority: z.string(),
      /** From it to the current one. */
      bridge: z.string(),
      /** Public keys. */
      nkeys: z.record(z.string(), z.string()),
    })
    .nullable(),
});

/** All keys of a site in the clear. */
export type SiteKeys = Readonly<z.output<typeof siteKeysSchema>>;

/** Makes all keys of a site. */
export async function makeSiteKeys(order: KeyOrder): Promise<SiteKeys> {
  const { site } = order.stack;
  const empty: SiteKeys = {
    site,
    madeAt: new Date().toISOString(),
    // Two authorities of one site have different names: software that looks for an issuer by its name finds one.
    authority: await makeAuthority(`Qalqan authority of ${site} ${randomBytes(4).toString("hex")}`),
    certificates: {},
    nkeys: {},
    random: {},
    signingKeys: {},
    formerSigningKeys: {},
    previous: null,
  };
  return completeSiteKeys(empty, order);
}

/** Names of the secrets that are missing, or whose certificate lacks a name or has fewer days left. */
export function outdatedSecrets(keys: SiteKeys, order: KeyOrder, daysMin: number): readonly string[] {
  return order.stack.secrets
    .filter((secret) => isOutdated(keys, secret, order, daysMin))
    .map(({ name }) => name);
}

function isOutdated(keys: SiteKeys, secret: Secret, order: KeyOrder, daysMin: number): boolean {
  const { name } = secret;
  switch (secret.kind) {
    case "certificate": {
      const own = keys.certificates[name];
      return own === undefined || !isGood(own, namesOf(secret, order), daysMin);
    }
    case "nkey":
      return keys.nkeys[name] === undefined;
    case "random":
      return keys.random[name]?.length !== 2 * secret.bytes;
    case "signing-key":
      return keys.signingKeys[name] === undefined;
    case "identity-keys":
      return false;
    default:
      return secret satisfies never;
  }
}

function isGood(own: CertificateAndKey, names: readonly string[], daysMin: number): boolean {
  const { subjectAltName = "" } = new X509Certificate(own.certificate);
  const known = new Set(subjectAltName.split(", ").map((name) => name.replace(/^(DNS|IP Address):/, "")));
  return endOf(own) - Date.now() > daysMin * dayMs && names.every((name) => known.has(name));
}

/** Milliseconds since 1970. */
const endOf = ({ certificate }: CertificateAndKey): number =>
  Date.parse(new X509Certificate(certificate).validTo);

/** Makes what is missing, lacks a name or is due for renewal; everything else stays as it is. */
export async function completeSiteKeys(keys: SiteKeys, order: KeyOrder): Promise<SiteKeys> {
  const certificates = { ...keys.certificates };
  const nkeys = { ...keys.nkeys };
  const random = { ...keys.random };
  const signingKeys = { ...keys.signingKeys };
  for (const secret of order.stack.secrets.filter((each) => isOutdated(keys, each, order, renewalDays))) {
    const { name } = secret;
    switch (secret.kind) {
      case "certificate": {
        const names = namesOf(secret, order);
        certificates[name] = await issueCertificate(keys.authority, {
          commonName: secret.commonName,
          dnsNames: names.filter((each) => isIP(each) === 0),
          ipAddresses: names.filter((each) => isIP(each) !== 0),
          use: "workload",
          days: certificateLifeDays,
        });
        break;
      }
      case "nkey":
        nkeys[name] = await makeNkey();
        break;
      case "random":
        random[name] = randomBytes(secret.bytes).toString("hex");
        break;
      case "signing-key":
        signingKeys[name] = makeSigningKey();
        break;
      case "identity-keys":
        break;
      default:
        secret satisfies never;
    }
  }
  return { ...keys, certificates, nkeys, random, signingKeys };
}

/** Every name under which a workload is reached: in its namespace, from other namespaces, pod by pod, from outside. */
function namesOf(secret: Secret & { kind: "certificate" }, { stack, hosts }: KeyOrder): readonly string[] {
  const workload = stack.workloads.find(({ secrets }) => secrets.includes(secret.name))?.name;
  if (workload === undefined) throw new RangeError(`no workload of ${stack.site} has ${secret.name}`);
  const service = `${workload}.qalqan-${stack.site}`;
  const pods = `*.${workload}-pods`;
  return [
    secret.commonName,
    workload,
    service,
    `${service}.svc`,
    `${service}.svc.cluster.local`,
    pods,
    `${pods}.qalqan-${stack.site}.svc.cluster.local`,
    ...(hosts[workload] ?? []),
    "localhost",
    "127.0.0.1",
  ];
}

/**
 * Makes everything anew, and keeps the authority and the public nkeys before
 * as trusted too, until `finishRotation`.
 *
 * @throws Problem `rotation-unfinished`
 */
export async function rotateSiteKeys(keys: SiteKeys, order: KeyOrder): Promise<SiteKeys> {
  if (keys.previous !== null) {
    throw new Problem({
      code: "rotation-unfinished",
      field: "site",
      value: keys.site,
      message: `the rotation of the keys of ${keys.site} that began at ${keys.madeAt} is not finished`,
      remedy: `finish it with \`npx qalqan keys rotate ${keys.site} --finish\` when the site and its other end are rolled out`,
    });
  }
  const next = await makeSiteKeys(order);
  const before = await publicPartsOf(keys);
  const bridge = await bridgeTo(next.authority.certificate, keys.authority);
  const former = Object.entries(before.signingKeys).map(([name, key]) => [
    name,
    [...(keys.formerSigningKeys[name] ?? []), key],
  ]);
  return {
    ...next,
    formerSigningKeys: { ...keys.formerSigningKeys, ...Object.fromEntries(former) },
    previous: { authority: before.authority, bridge, nkeys: before.nkeys },
  };
}

/**
 * From now on the current keys alone are trusted.
 *
 * @throws Problem `no-rotation`
 */
export function finishRotation(keys: SiteKeys): SiteKeys {
  if (keys.previous !== null) return { ...keys, previous: null };
  throw new Problem({
    code: "no-rotation",
    field: "site",
    value: keys.site,
    message: `the keys of ${keys.site} are not being rotated`,
    remedy: `begin with \`npx qalqan keys rotate ${keys.site}\``,
  });
}

/** What others may know of the keys. */
export async function publicPartsOf(keys: SiteKeys): Promise<PublicParts> {
  const nkeys: Record<string, string> = {};
  for (const [name, seed] of Object.entries(keys.nkeys)) nkeys[name] = await publicNkeyOf(seed);
  const { site, madeAt, formerSigningKeys, previous } = keys;
  return {
    site,
    madeAt,
    authority: keys.authority.certificate,
    certificatesEndAt: new Date(Math.min(...Object.values(keys.certificates).map(endOf))).toISOString(),
    nkeys,
    signingKeys: Object.fromEntries(
      Object.entries(keys.signingKeys).map(([name, pem]) => [name, publicSigningKey(pem)]),
    ),
    formerSigningKeys,
    previous: previous === null ? null : { authority: previous.authority, nkeys: previous.nkeys },
  };
}

function makeSigningKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}
