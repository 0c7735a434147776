import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { Provider, type BranchkeeperClient } from "../src/node.js";

const BINARY = process.env["BRANCHKEEPER_BIN"] ?? resolve("../../target/debug/branchkeeper");

export const FIFTY = Array.from({ length: 50 }, (_, at) => `BR${String(at + 1).padStart(3, "0")}`);

/** One service with a data folder of its own. */
export class Service {
  private readonly folder = mkdtempSync(join(tmpdir(), "branchkeeper-"));
  private child: ChildProcess | undefined;

  private constructor(readonly port: number) {
    mkdirSync(join(this.folder, "migrations"));
    const write = (name: string, sql: string) => writeFileSync(join(this.folder, "migrations", name), sql);
    write("20260101000000_Create.sql", "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);");
    write("20260102000000_Extend.sql", "ALTER TABLE items ADD COLUMN price INTEGER;");
  }

  static async create(): Promise<Service> {
    return new Service(await freePort());
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  start(variables: Record<string, string> = {}): void {
    const [data, migrations] = [join(this.folder, "data"), join(this.folder, "migrations")];
    this.child = spawn(BINARY, ["serve", "--listen", this.target, "--data", data, "--migrations", migrations], {
      cwd: this.folder,
      env: { ...process.env, BRANCHKEEPER__AUTO_MIGRATE__ENABLED: "false", ...variables },
      stdio: "ignore",
    });
  }

  async stop(): Promise<void> {
    const child = this.child;
    if (child !== undefined) {
      this.child = undefined;
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await ended;
    }
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }

  async register(client: BranchkeeperClient, ...codes: string[]): Promise<void> {
    for (const code of codes) {
      await client.branches.createBranch({ branch: { code, provider: Provider.SQLITE } });
    }
  }

  /** Puts something where the branch's database belongs that no migration can work on. */
  spoil(code: string): void {
    const file = join(this.folder, "data/branches", code, "Database", `${code}.db`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "this is no database, however long one looks at it");
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Passes bytes on, and cuts the first `most` connections when the service has sent `limit` bytes on them. */
export async function cuttingProxy(port: number, limit: number, most: number) {
  const proxy = { target: "", cuts: 0, close: () => {} };
  const server = createServer((client) => {
    const service = createConnection(port, "127.0.0.1");
    let passed = 0;
    const cut = () => {
      client.destroy();
      service.destroy();
    };
    client.on("data", (data) => service.write(data)).on("close", cut).on("error", cut);
    service.on("close", cut).on("error", cut);
    service.on("data", (data) => {
      if (proxy.cuts < most && passed + data.length >= limit) {
        proxy.cuts += 1;
        client.write(data.subarray(0, limit - passed), cut);
        service.pause();
        return;
      }
      passed += data.length;
      client.write(data);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  proxy.target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  proxy.close = () => server.close();
  return proxy;
}
