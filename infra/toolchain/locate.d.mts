/** Tools of Debian that a node of Kubernetes needs. */
export type NodeTool = "containerd" | "ctr" | "nft" | "ip" | "busybox" | "network-plugins";

export function cacheFolder(): string;
export function onPath(name: string): string | undefined;
export function isExecutable(file: string): boolean;
export function versionOf(file: string, parameters: readonly string[]): string | undefined;
export function isAtLeast(version: string, versionMin: string): boolean;
export function findPinnedTool(name: string): string | undefined;
export function findChromium(): string | undefined;
export function findFakeClock(): string | undefined;
export function findNodeTool(name: NodeTool): string | undefined;
export function missingNodePackages(): readonly string[];
export function nodeObstacle(): string | undefined;
