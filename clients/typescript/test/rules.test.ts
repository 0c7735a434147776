import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { BranchkeeperError, connect } from "../src/node.js";
import { tokenFrom } from "../src/node.js";
import { again, broken, repeatable, waitAfter } from "../src/retry.js";
import { readTarget } from "../src/target.js";

function error(code: Code, reason = "", delayed = false): BranchkeeperError {
  const info = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain: "branchkeeper" }) };
  const delay = create(RetryInfoSchema, { retryDelay: create(DurationSchema, { seconds: 2n }) });
  const details = [...(reason ? [info] : []), ...(delayed ? [{ desc: RetryInfoSchema, value: delay }] : [])];
  return BranchkeeperError.from(new ConnectError("", code, undefined, details));
}

test("targets", () => {
  const cases: Record<string, string> = {
    keeper: "http://keeper:50051",
    "keeper:7": "http://keeper:7",
    "http://keeper:7/": "http://keeper:7",
    "https://keeper": "https://keeper:50051",
    "[::1]:7": "http://[::1]:7",
  };
  for (const [target, url] of Object.entries(cases)) {
    assert.equal(readTarget(target).url, url);
  }
  for (const wrong of ["", "ftp://keeper", "http://u:hunter2@keeper", "http://keeper/x", "keeper:x", "keeper:99999"]) {
    assert.throws(() => connect(wrong), (refused: Error) => refused instanceof TypeError && !refused.message.includes("hunter2"));
  }
});

test("a token is not sent in the clear", () => {
  for (const target of ["localhost", "127.0.0.1:7", "[::1]:7", "https://keeper"]) {
    connect(target, { token: "secret" }).close();
  }
  assert.throws(() => connect("keeper", { token: "secret" }), TypeError);
  assert.throws(() => connect("127.0.0.1.example", { token: "secret" }), TypeError);
  connect("keeper", { token: "secret", allowInsecureToken: true }).close();
});

test("a token file is read again when it changes", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "branchkeeper-")), "token");
  const token = tokenFrom(file);
  for (const text of ["first\n", "second one\n"]) {
    writeFileSync(file, text);
    assert.equal(await token(), text.trim());
  }
});

test("what is tried again", () => {
  const cases: [BranchkeeperError, boolean, boolean][] = [
    [error(Code.Unavailable), true, false],
    [error(Code.Aborted, "BRANCH_LOCKED", true), true, false],
    [error(Code.Aborted, "SOMETHING"), false, false],
    [error(Code.ResourceExhausted), false, false],
    [error(Code.ResourceExhausted, "OVERLOADED", true), true, true],
    [error(Code.ResourceExhausted, "RATE_LIMITED", true), true, true],
    [error(Code.DeadlineExceeded), false, false],
    [error(Code.Internal), false, false],
    // The library's word for a lost connection.
    [error(Code.Aborted), true, false],
  ];
  for (const [failed, read, write] of cases) {
    assert.deepEqual([again(failed, true), again(failed, false)], [read, write], failed.reason);
  }
  assert.ok(broken(error(Code.Internal)) && !broken(error(Code.Internal, "INTERNAL")) && !broken(error(Code.NotFound)));
  const apply = "/branchkeeper.v1.MigrationService/Apply";
  assert.ok(repeatable(apply, { requestId: "a" }) && !repeatable(apply, { requestId: "" }));
  assert.ok(!repeatable("/branchkeeper.v1.BranchService/CreateBranch", {}));
});

test("waits grow and keep to what was asked", () => {
  for (let n = 0; n < 100; n++) {
    assert.ok(waitAfter(1) <= 200 && waitAfter(50) <= 5000);
    const wait = waitAfter(1, error(Code.Unavailable, "DRAINING", true));
    assert.ok(wait >= 2000 && wait <= 2200);
  }
});
