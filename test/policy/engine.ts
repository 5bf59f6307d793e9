import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fromJson, toBinary, type JsonObject } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/analyzer_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/analyzer_pb.js";
import type { Manifest } from "#infra/kubernetes/manifest.ts";

const packFolder = join(import.meta.dirname, "..", "..", "infra", "kubernetes", "policy");
/** By this program the language host of the engine starts a pack, in the pack's folder. */
const launcher = createRequire(import.meta.url).resolve("@pulumi/pulumi/cmd/run-policy-pack");

/** A resource, as the engine tells a pack of it. */
export interface Resource {
  readonly type: string;
  readonly name: string;
  readonly props: JsonObject;
}

/** Something that the pack has found. */
export interface Diagnostic {
  readonly policy: string;
  readonly isMandatory: boolean;
  readonly message: string;
  readonly urn: string;
}

/** The resource that the programs register for a manifest. */
export function resourceOf(manifest: Manifest): Resource {
  const { apiVersion, kind, metadata } = manifest;
  const version = apiVersion.includes("/") ? apiVersion : `core/${apiVersion}`;
  const props = structuredClone(manifest) as unknown as JsonObject;
  return { type: `kubernetes:${version}:${kind}`, name: `${kind}/${metadata.name}`, props };
}

export const urnOf = ({ type, name }: Resource): string => `urn:pulumi:test::qalqan::${type}::${name}`;

/** How the engine marks a value that nobody may see (Pulumi: sdk/go/common/resource, SecretSig). */
export const secret = (value: JsonObject): JsonObject => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});
/** What the engine gives for a text that is known only when everything is made (plugin.UnknownStringValue). */
export const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The policy pack, started and asked as the engine does. */
export class PackUnderTest implements AsyncDisposable {
  private readonly process: ChildProcess;
  private readonly client: InstanceType<typeof services.AnalyzerClient>;

  private constructor(process_: ChildProcess, port: string) {
    this.process = process_;
    this.client = new services.AnalyzerClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  static async start(): Promise<PackUnderTest> {
    const child = spawn(process.execPath, [launcher, "127.0.0.1:0", "."], {
      cwd: packFolder,
      stdio: ["ignore", "pipe", "inherit"],
    });
    // The first line is the port.
    for await (const port of createInterface(child.stdout)) return new PackUnderTest(child, port);
    throw new Error("the policy pack ended before it served");
  }

  /** Names of its policies, and whether what breaks one is refused. */
  async policies(): Promise<readonly { readonly name: string; readonly isMandatory: boolean }[]> {
    const nothing = services.AnalyzerService.getAnalyzerInfo.requestDeserialize(Buffer.alloc(0));
    const info = await asked<InstanceType<typeof messages.AnalyzerInfo>>((answer) =>
      this.client.getAnalyzerInfo(nothing, answer),
    );
    return info.getPoliciesList().map((policy) => ({
      name: policy.getName(),
      isMandatory: policy.getEnforcementlevel() === messages.EnforcementLevel.MANDATORY,
    }));
  }

  /** Before a resource is made. */
  async analyze(resource: Resource): Promise<readonly Diagnostic[]> {
    const request = filled(messages.AnalyzeRequest.deserializeBinary(propertiesOf(resource)), resource);
    return diagnosticsOf(await asked((answer) => this.client.analyze(request, answer)));
  }

  /** At the end of a preview or an update. */
  async analyzeStack(resources: readonly Resource[]): Promise<readonly Diagnostic[]> {
    const request = new messages.AnalyzeStackRequest();
    request.setResourcesList(
      resources.map((resource) =>
        filled(messages.AnalyzerResource.deserializeBinary(propertiesOf(resource)), resource),
      ),
    );
    return diagnosticsOf(await asked((answer) => this.client.analyzeStack(request, answer)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    const ended = once(this.process, "exit");
    this.process.kill();
    await ended;
  }
}

type Fillable = Pick<
  InstanceType<typeof messages.AnalyzeRequest>,
  "setType" | "setName" | "setUrn" | "setOptions"
>;

function filled<T extends Fillable>(message: T, resource: Resource): T {
  message.setType(resource.type);
  message.setName(resource.name);
  message.setUrn(urnOf(resource));
  message.setOptions(new messages.AnalyzerResourceOptions());
  return message;
}

/** A message of which the properties alone are filled in: its field 2. */
function propertiesOf({ props }: Resource): Uint8Array {
  const struct = toBinary(StructSchema, fromJson(StructSchema, props));
  return new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(struct).finish();
}

function diagnosticsOf(response: InstanceType<typeof messages.AnalyzeResponse>): readonly Diagnostic[] {
  return response.getDiagnosticsList().map((each) => ({
    policy: each.getPolicyname(),
    isMandatory: each.getEnforcementlevel() === messages.EnforcementLevel.MANDATORY,
    message: each.getMessage(),
    urn: each.getUrn(),
  }));
}

function asked<T>(ask: (answer: (error: ServiceError | null, response: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, response) => (error === null ? resolve(response) : reject(error)));
  });
}
