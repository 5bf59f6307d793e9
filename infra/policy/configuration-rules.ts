import { hubAccountsName } from "../kubernetes/configuration.ts";
import { contentName } from "../kubernetes/manifest.ts";
import { Field, type Violation } from "./field.ts";
import { containersOf } from "./pods.ts";
import { containerRule, kindRule, must, podRule, type Rule } from "./rule.ts";

/** `<name>-<10 hexadecimal digits>`, as contentName makes it. */
const hashedName = /^(?<name>.+)-[0-9a-f]{10}$/;

function nameViolations(object: Field, content: Readonly<Record<string, string>>): readonly Violation[] {
  const name = object.at("metadata", "name");
  const plain = hashedName.exec(name.text ?? "")?.groups?.["name"] ?? name.text ?? "";
  const right = contentName(plain, content);
  return must(name.text === right, name, `must be ${right}, after its content`);
}

const configurationImmutable = kindRule("ConfigMap", {
  name: "configuration-is-immutable-and-named-by-content",
  description:
    "Other configuration has another name, so that whoever reads it starts anew; " +
    `only ${hubAccountsName} changes in place, and is reloaded.`,
  remedy: "set immutable: true and name it with contentName of infra/kubernetes/manifest.ts",
  check: (configuration) => {
    if (configuration.at("metadata", "name").text === hubAccountsName) return [];
    const immutable = configuration.at("immutable");
    const binary = configuration.at("binaryData");
    return [
      ...must(immutable.value === true, immutable, "must be true"),
      ...must(binary.keys.length === 0, binary, "must be absent: its content is not in the name"),
      ...nameViolations(configuration, configuration.at("data").texts),
    ];
  },
});

const secretImmutable = kindRule("Secret", {
  name: "secrets-are-immutable-and-named-by-content",
  description: "Other keys have another name, so that whoever reads them starts anew.",
  remedy:
    "set immutable: true, use data and not stringData, and name it with contentName of infra/kubernetes/manifest.ts",
  check: (secret) => {
    const immutable = secret.at("immutable");
    const plain = secret.at("stringData");
    const type = secret.at("type");
    const content = Object.entries(secret.at("data").texts).map(([file, text]) => [
      file,
      Buffer.from(text, "base64").toString(),
    ]);
    return [
      ...must(immutable.value === true, immutable, "must be true"),
      ...(plain.exists ? [plain.violation("must be absent: use data", "(hidden)")] : []),
      ...must(!type.exists || type.text === "Opaque", type, "must be Opaque"),
      ...nameViolations(secret, Object.fromEntries(content) as Readonly<Record<string, string>>),
    ];
  },
});

const secretsAsFiles = containerRule({
  name: "secrets-are-files",
  description:
    "A variable of the environment is inherited, printed and written down; a file is read by who needs it.",
  remedy: "mount the Secret as a volume, and give the path of the file",
  check: ({ field }) => [
    ...must(!field.at("envFrom").exists, field.at("envFrom"), "must be absent"),
    ...field
      .at("env")
      .items.map((variable) => variable.at("valueFrom", "secretKeyRef"))
      .flatMap((reference) => must(!reference.exists, reference, "must be absent")),
  ],
});

/** Bits of a file's mode for everybody, and for changing it. */
const modeForbidden = 0o027;

const filesReadOnly = podRule({
  name: "configuration-and-secrets-are-read-only",
  description: "Programs read their configuration and their secrets; only the user and group of the pod do.",
  remedy: "set defaultMode: 0o440 in the volume and readOnly: true where it is mounted",
  check: (pod) => {
    const volumes = pod.spec
      .at("volumes")
      .items.filter((volume) => volume.at("secret").exists || volume.at("configMap").exists);
    const names = volumes.map((volume) => volume.at("name").text);
    const mounts = containersOf(pod)
      .flatMap(({ field }) => field.at("volumeMounts").items)
      .filter((mount) => names.includes(mount.at("name").text));
    return [
      ...volumes
        .map((volume) => (volume.at("secret").exists ? volume.at("secret") : volume.at("configMap")))
        .flatMap((source) => [
          source.at("defaultMode"),
          ...source.at("items").items.map((item) => item.at("mode")),
        ])
        .filter((mode) => mode.exists || mode.path.endsWith("defaultMode"))
        .flatMap((mode) => {
          const isClosed = mode.number !== undefined && (mode.number & modeForbidden) === 0;
          return must(isClosed, mode, "must let nobody but user and group read, and nobody write");
        }),
      ...mounts.flatMap((mount) =>
        must(mount.at("readOnly").value === true, mount.at("readOnly"), "must be true"),
      ),
    ];
  },
});

/** Looks like a key, by what it is called for people. */
const keyMaterial: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a private key", /PRIVATE KEY/],
  ["an age identity", /AGE-SECRET-KEY-/i],
  // Prefix of a seed, then its kind, then base 32 (NATS: nkeys).
  ["the seed of an nkey", /\bS[UAOCNX][A-Z2-7]{54,}/],
  ["a token", /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\./],
  ["a password", /pass(?:word|wd|phrase)["']?\s*[:=]\s*(?!["']?[$/])["']?[^\s"'`,;{}()]/i],
  ["an address with a password", /:\/\/[^\s:@/]*:[^\s@/"',]+@/],
];

/** Variables whose value would be a secret; those that end in _FILE name a file. */
const secretVariable = /(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|SEED|PRIVATE_KEY|API_KEY)$/i;

const noKeysInTheOpen: Rule = {
  name: "keys-are-in-secrets-alone",
  description: "Whoever may read how a stack is configured learns no key from it.",
  remedy: "put it into the secrets of the workload, and give the path of the file",
  check: (manifest) => {
    const object = Field.of(manifest);
    const open =
      manifest.kind === "Secret"
        ? object.keys.filter((key) => !/^(data|stringData)$/.test(key))
        : object.keys;
    return open.flatMap((key) => keysIn(object.at(key)));
  },
};

/** Never shows what it found. */
function keysIn(field: Field): readonly Violation[] {
  if (field.text !== undefined) {
    const text = field.text;
    return keyMaterial
      .filter(([, pattern]) => pattern.test(text))
      .map(([what]) => field.violation(`must not contain ${what}`, "(hidden)"));
  }
  const value = field.at("value");
  const isSecretVariable = secretVariable.test(field.at("name").text ?? "") && value.text !== undefined;
  return [
    ...(isSecretVariable ? [value.violation("must not be a secret itself", "(hidden)")] : []),
    ...field.items.flatMap(keysIn),
    ...field.keys.flatMap((key) => keysIn(field.at(key))),
  ];
}

export const configurationRules: readonly Rule[] = [
  configurationImmutable,
  secretImmutable,
  secretsAsFiles,
  filesReadOnly,
  noKeysInTheOpen,
];
