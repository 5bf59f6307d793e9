import { askCluster } from "../kubernetes/kubectl.ts";
import { Problem } from "../problem.ts";

/**
 * Sees that a context of the kubeconfig leads to an API server of Kubernetes
 * that answers.
 *
 * @returns its version, for example v1.36.4
 * @throws Problem `context-unknown`, `cluster-unreachable`, `not-a-cluster`; ToolMissing without kubectl
 */
export async function clusterVersion(context: string): Promise<string> {
  const listed = await askCluster(context, ["config", "get-contexts", "--output", "name"]);
  const known = listed.split("\n").filter((name) => name !== "");
  if (!known.includes(context)) {
    throw problem(
      "context-unknown",
      context,
      `the kubeconfig has no context ${context}`,
      known.length === 0 ? "it has none; KUBECONFIG names another file" : `one of: ${known.join(", ")}`,
    );
  }
  const version = versionIn(await askCluster(context, ["--request-timeout=15s", "get", "--raw", "/version"]));
  if (version !== undefined) return version;
  throw problem(
    "not-a-cluster",
    context,
    `what answers under the context ${context} is no API server of Kubernetes`,
    `see the address that \`kubectl config view --minify --context ${context}\` shows`,
  );
}

/** What an API server says of itself (`/version`); undefined for an answer that is not one's. */
function versionIn(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== "object" || answer === null || !("gitVersion" in answer)) return undefined;
    return typeof answer.gitVersion === "string" ? answer.gitVersion : undefined;
  } catch {
    return undefined;
  }
}

function problem(code: string, context: string, message: string, remedy: string): Problem {
  return new Problem({ code, field: "cluster.context", value: context, message, remedy });
}
