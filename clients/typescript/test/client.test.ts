import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";

import * as web from "../src/browser.js";
import { BranchkeeperError, Code, Reason, connect, type BranchkeeperClient, type RunEvent } from "../src/node.js";
import { FIFTY, Service, cuttingProxy } from "./support.js";

async function started(context: TestContext): Promise<{ service: Service; client: BranchkeeperClient }> {
  const service = await Service.create();
  service.start();
  const client = connect(service.target);
  context.after(async () => {
    client.close();
    await service.remove();
  });
  await client.waitReady();
  return { service, client };
}

/** Reads a stream to its end, and sees to it that the events are complete and without repetition. */
async function all(stream: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const events = [];
  for await (const event of stream) {
    events.push(event);
    assert.equal(event.sequence, BigInt(events.length));
  }
  return events;
}

function result(events: RunEvent[]) {
  const event = events.at(-1)?.event;
  assert.equal(event?.case, "runFinished");
  assert.ok(event.value.result);
  return event.value.result;
}

async function refused(what: Promise<unknown>): Promise<BranchkeeperError> {
  try {
    await what;
  } catch (error) {
    assert.ok(error instanceof BranchkeeperError, String(error));
    return error;
  }
  assert.fail("it was not refused");
}

test("a branch is registered and migrated", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, "BR001");
  const { runId, result } = await client.apply("BR001");
  assert.equal(result?.success, true);
  assert.equal(result.appliedMigrations.length, 2);
  const { run } = await client.migrations.getRun({ runId });
  assert.equal(run?.requestId.length, 36);
});

test("all branches are migrated", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, ...FIFTY);
  const events = await all(client.applyAll());
  assert.equal(result(events).branchesSucceeded, 50);
  // What was recorded can be watched again, from anywhere, and its end is known without an event too.
  const runId = events[0]!.runId;
  const end = BigInt(events.length);
  for (const [afterSequence, expected] of [[end - 3n, [end - 2n, end - 1n, end]], [end, []]] as const) {
    const seen = [];
    for await (const event of client.watchRun(runId, { afterSequence })) {
      seen.push(event.sequence);
    }
    assert.deepEqual(seen, expected);
  }
});

for (const [kind, open] of [["gRPC", connect], ["gRPC-Web", web.connect]] as const) {
  test(`a cut stream goes on without loss or repetition: ${kind}`, async (context) => {
    const { service, client } = await started(context);
    await service.register(client, ...FIFTY);
    const proxy = await cuttingProxy(service.port, 3000, 5);
    const through = open(proxy.target);
    const events = await all(through.applyAll({ includeStatements: true }, { timeoutMs: 60_000 }));
    through.close();
    proxy.close();
    assert.equal(result(events).branchesSucceeded, 50);
    assert.equal(proxy.cuts, 5);
    assert.equal((await client.migrations.listRuns({})).runs.length, 1);
  });
}

test("a lost first answer begins no second run", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, "BR001");
  // Enough for the connection to begin, not enough for an event: the request arrives, its answer does not.
  const proxy = await cuttingProxy(service.port, 60, 3);
  const through = connect(proxy.target);
  const events = await all(through.applyAll({}, { timeoutMs: 60_000 }));
  through.close();
  proxy.close();
  assert.equal(result(events).success, true);
  assert.equal(proxy.cuts, 3);
  assert.equal((await client.migrations.listRuns({})).runs.length, 1);
});

test("a restart of the service ends no stream", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, ...FIFTY);
  const events = [];
  for await (const event of client.applyAll({ maxParallel: 1 }, { timeoutMs: 60_000 })) {
    events.push(event);
    assert.equal(event.sequence, BigInt(events.length));
    if (events.length === 10) {
      await service.stop();
      service.start();
    }
  }
  assert.equal(result(events).branchesSucceeded, 50);
});

test("a failing branch is data", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, "BR001", "BR002");
  service.spoil("BR002");
  const outcome = result(await all(client.applyAll()));
  assert.equal(outcome.success, false);
  assert.equal(outcome.branchesSucceeded, 1);
  assert.equal(outcome.errors[0]?.branchCode, "BR002");
});

test("an unknown branch is a typed error", async (context) => {
  const { service, client } = await started(context);
  const error = await refused(client.apply("NOWHERE"));
  assert.deepEqual([error.code, error.reason, error.branch], [Code.NotFound, Reason.BRANCH_NOT_FOUND, "NOWHERE"]);
  assert.notEqual(error.hint, "");
  assert.equal((await refused(all(client.applyAll({ branches: ["NOWHERE"] })))).reason, Reason.BRANCH_NOT_FOUND);
  assert.equal((await refused(all(client.watchRun("00000000-0000-7000-8000-000000000000")))).reason, Reason.RUN_NOT_FOUND);
  const invalid = await refused(client.branches.createBranch({ branch: { code: "no blanks" } }));
  assert.ok(invalid.violations.some((each) => each.field === "branch.code"));
  // The browser's protocol carries the same.
  assert.equal((await refused(web.connect(service.target).apply("NOWHERE"))).branch, "NOWHERE");
});

test("a deadline passes", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, "BR001");
  assert.equal((await refused(client.apply("BR001", { timeoutMs: 2 }))).code, Code.DeadlineExceeded);
});

test("an aborted signal ends the stream", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, ...FIFTY);
  const controller = new AbortController();
  const follow = async () => {
    for await (const _ of client.applyAll({ maxParallel: 1 }, { signal: controller.signal })) {
      controller.abort();
    }
  };
  assert.equal((await refused(follow())).code, Code.Canceled);
});

test("a service is waited for", async (context) => {
  const service = await Service.create();
  const client = connect(service.target);
  context.after(async () => {
    client.close();
    await service.remove();
  });
  const error = await refused(client.waitReady(undefined, { timeoutMs: 400 }));
  assert.equal(error.code, Code.DeadlineExceeded);
  assert.match(error.message, /Unavailable/);
  service.start();
  await client.waitReady();
  await client.waitReady("");
});

test("the example shows progress and tells the outcome", async (context) => {
  const { service, client } = await started(context);
  await service.register(client, "BR001", "BR002");
  const shown = await promisify(execFile)(process.execPath, ["build/example/deploy.js", service.target]);
  assert.match(shown.stderr, /2\/2/);
  assert.equal(shown.stdout.trim(), "2 succeeded, 0 failed");
});

test("a token is needed where the service asks for one", async (context) => {
  const service = await Service.create();
  context.after(() => service.remove());
  service.start({
    BRANCHKEEPER__AUTH__JWT__SECRET_REF: "env:CLIENT_TEST_SECRET",
    CLIENT_TEST_SECRET: "for tests only: nobody is let in by this",
  });
  const cases = [
    [{}, Reason.UNAUTHENTICATED],
    [{ token: "garbage" }, Reason.UNAUTHENTICATED],
    [{ tokenFile: "../testdata/expired-token" }, Reason.UNAUTHENTICATED],
    [{ tokenFile: "../testdata/token" }, Reason.BRANCH_NOT_FOUND],
  ] as const;
  for (const [options, reason] of cases) {
    const client = connect(service.target, options);
    await client.waitReady();
    assert.equal((await refused(client.apply("NOWHERE"))).reason, reason);
    assert.equal((await refused(all(client.applyAll({ branches: ["NOWHERE"] })))).reason, reason);
    client.close();
  }
});
