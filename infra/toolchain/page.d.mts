export function pageIsBuilt(): boolean;
export function buildPage(build: (parameters: readonly string[]) => Promise<void>): Promise<void>;
