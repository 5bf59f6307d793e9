import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { capitalStack } from "#infra/blueprint/capital-stack.ts";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import type { ImageName } from "#infra/deployment/release.ts";
import { filesBelow } from "#infra/image/entries.ts";
import { textOf } from "#test/house/sources.ts";
import { builtImages, type BuiltImages } from "./built-images.ts";
import { readImage, type ReadImage } from "./read-image.ts";
import { canRunImages, runInImage } from "./run-in-image.ts";

const names: readonly ImageName[] = ["qalqan", "nats", "postgres"];
const why = canRunImages ? "" : " (skipped: this machine forbids namespaces)";
const shells = /(^|\/)(sh|ash|bash|dash|zsh|busybox)$/;

const folder = mkdtempSync(join(tmpdir(), "qalqan-images-"));
const images = new Map<ImageName, ReadImage>();
let built: BuiltImages;

const image = (name: ImageName): ReadImage => {
  const read = images.get(name);
  if (read === undefined) throw new Error(`${name} was not read`);
  return read;
};

beforeAll(async () => {
  built = await builtImages();
  for (const name of names) images.set(name, await readImage(built.files[name], join(folder, name)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(names)("the image %s", (name) => {
  test("has the name under which manifests ask for it", () => {
    const [described] = image(name).index.manifests;
    expect(described?.annotations["io.containerd.image.name"]).toBe(built.release.images[name]);
    expect(built.release.images[name]).toMatch(new RegExp(`@${described?.digest}$`));
  });

  test("is of 1970, of root, and sorted; nothing else about its files differs between machines", () => {
    const { archive, config, layers } = image(name);
    expect(config.created).toBe("1970-01-01T00:00:00.000Z");
    for (const headers of [archive, ...layers]) {
      const odd = headers.filter(
        ({ mtime, uid, gid, uname, gname }) =>
          mtime.getTime() !== 0 || uid !== 0 || gid !== 0 || uname !== "" || gname !== "",
      );
      expect(odd).toEqual([]);
      const modes = new Set(headers.map(({ mode, type }) => `${type} ${mode.toString(8)}`));
      const known = ["directory 755", "directory 1777", "file 644", "file 755", "symlink 777"];
      expect([...modes].filter((mode) => !known.includes(mode))).toEqual([]);
    }
    for (const headers of layers) {
      const paths = headers.map((header) => header.name.replace(/\/$/, ""));
      expect(paths).toEqual(paths.toSorted());
    }
  });

  test("runs as a user of its own, without privileges", () => {
    const { config, root } = image(name);
    const [user, group] = config.config.User.split(":").map(Number);
    expect(user).toBe(name === "postgres" ? 999 : 10_001);
    expect(group).toBe(user);
    expect(readFileSync(join(root, "etc", "passwd"), "utf8")).toMatch(
      new RegExp(`^\\w+:x:${user}:${user}:`, "m"),
    );
    const special = image(name)
      .layers.flat()
      .filter(({ mode }) => (mode & 0o6000) !== 0);
    expect(special).toEqual([]);
  });

  test("says what it is", () => {
    const labels = image(name).config.config.Labels;
    for (const label of ["title", "version", "licenses"]) {
      expect(labels[`org.opencontainers.image.${label}`]).not.toBe("");
    }
  });
});

describe("the image of the services", () => {
  test("has three layers, of which a change of code moves the last", () => {
    const tops = image("qalqan").layers.map(
      (headers) => new Set(headers.map((header) => header.name.split("/").slice(0, 2).join("/"))),
    );
    expect(tops).toHaveLength(3);
    expect(tops[0]).toContain("usr/local");
    expect([...(tops[1] ?? [])]).toEqual(["app/", "app/node_modules"]);
    expect([...(tops[2] ?? [])].toSorted()).toEqual([
      "app/",
      "app/LICENSE",
      "app/package.json",
      "app/proto",
      "app/services",
    ]);
  });

  test("has every program that a stack starts from it, and the nation's page", () => {
    const [region] = loadRegions();
    if (region === undefined) throw new Error("there is no region");
    const stacks = [regionalStack(region), capitalStack("large")];
    const programs = stacks
      .flatMap(({ workloads }) => workloads)
      .flatMap(({ program, companions }) => [
        ...(program.kind === "service" ? [program.main] : []),
        ...companions.map(({ main }) => main),
      ]);
    expect(new Set(programs).size).toBeGreaterThan(5);
    const app = join(image("qalqan").root, "app");
    const missing = [...programs, "services/console/dist/index.html"].filter(
      (file) => !existsSync(join(app, file)),
    );
    expect(missing).toEqual([]);
  });

  test("has no tool of the project, no command line, no tests, and no shell", () => {
    const { root } = image("qalqan");
    const paths = filesBelow(root).map(({ path }) => path);
    const { devDependencies } = JSON.parse(textOf("package.json")) as { devDependencies: object };
    const installed = new Set(readdirSync(join(root, "app", "node_modules")));
    // Only types that a package itself depends on; their files are left out.
    const tools = Object.keys(devDependencies).filter((name) => !name.startsWith("@types/"));
    expect(tools.filter((name) => existsSync(join(root, "app", "node_modules", name)))).toEqual([]);
    expect(installed.has("node")).toBe(false);
    expect(paths.filter((path) => shells.test(path))).toEqual([]);
    expect(paths.filter((path) => /^app\/(services\/cli|infra|test)\//.test(path))).toEqual([]);
    expect(paths.filter((path) => /\.(map|d\.[cm]?ts)$/.test(path))).toEqual([]);
  });

  test.runIf(canRunImages)(
    `starts every service with its own Node and libraries, up to what it is not told${why}`,
    () => {
      const { root, config } = image("qalqan");
      const services = readdirSync(join(root, "app", "services")).filter((name) =>
        existsSync(join(root, "app", "services", name, "main.ts")),
      );
      expect(services.length).toBeGreaterThan(5);
      const environment = Object.fromEntries(config.config.Env.map((line) => line.split("=", 2)));
      const said = services.map((service) => {
        const main = `services/${service}/main.ts`;
        const command = ["/usr/local/bin/node", "--disable-warning=ExperimentalWarning", main];
        const { code, output } = runInImage(
          root,
          10_001,
          config.config.WorkingDir ?? "/",
          environment,
          command,
        );
        return {
          service,
          code,
          why: /InvalidConfiguration.*\n.*read nothing/.test(output) ? "not told" : output,
        };
      });
      expect(said).toEqual(services.map((service) => ({ service, code: 1, why: "not told" })));
    },
  );
});

describe("the images of the servers", () => {
  test("start as upstream's do", () => {
    expect(image("nats").config.config).toMatchObject({ Entrypoint: ["/nats-server"] });
    expect(image("postgres").config.config).toMatchObject({ Cmd: ["postgres"], StopSignal: "SIGINT" });
  });

  test.runIf(canRunImages)(`hold a NATS server that needs nothing beside it${why}`, () => {
    const { root } = image("nats");
    expect(runInImage(root, 10_001, "/", {}, ["/nats-server", "--version"])).toMatchObject({ code: 0 });
  });

  test.runIf(canRunImages)(
    `hold a PostgreSQL that initialises its data and answers, by the shell that is there${why}`,
    () => {
      const { root, config } = image("postgres");
      const environment = Object.fromEntries(config.config.Env.map((line) => line.split("=", 2)));
      const shell = (script: string, input = "") =>
        runInImage(root, 999, "/tmp", environment, ["/bin/sh", "-euc", script], input);
      expect(
        shell("for tool in cat cmp cp mkdir mv rm sync test [; do command -v $tool; done"),
      ).toMatchObject({ code: 0 });
      const initialised = shell(
        "initdb -D data -U postgres --no-sync --locale=C --encoding=UTF8 && test -f data/PG_VERSION",
      );
      expect(initialised.output).toContain("Success");
      const asked = shell(
        "postgres --single -D data postgres",
        "select 6 * 7 as answer, timezone('Asia/Almaty', timestamptz '2026-01-01 00:00Z') as noon;\n",
      );
      expect(asked.output).toContain('answer = "42"');
      expect(asked.output).toContain('noon = "2026-01-01 05:00:00"');
    },
  );
});
