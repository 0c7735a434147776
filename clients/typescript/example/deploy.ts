/**
 * Migrates the whole fleet from a deployment script, and shows how far it is.
 *
 * Usage: node deploy.js [TARGET]; the token, if any, is in the file that BRANCHKEEPER_TOKEN_FILE names. Ends with 0 when
 * every branch succeeded, 1 when some failed, 3 when the service could not do it.
 */
import { BranchkeeperError, connect } from "../src/node.js"; // Elsewhere: from "@branchkeeper/client".

const WIDTH = 40;

async function deploy(): Promise<number> {
  const tokenFile = process.env["BRANCHKEEPER_TOKEN_FILE"];
  const client = connect(process.argv[2] ?? "http://127.0.0.1:50051", tokenFile ? { tokenFile } : {});
  try {
    await client.waitReady();
    for await (const { event } of client.applyAll()) {
      if (event.case === "branchFinished") {
        const { branchesDone: done, branchesTotal: total } = event.value;
        const bar = "#".repeat(Math.floor((WIDTH * done) / total)).padEnd(WIDTH);
        process.stderr.write(`\r[${bar}] ${done}/${total}`);
      } else if (event.case === "runFinished" && event.value.result !== undefined) {
        const { success, branchesSucceeded, branchesFailed, errors } = event.value.result;
        console.log(`\n${branchesSucceeded} succeeded, ${branchesFailed} failed`);
        for (const error of errors) {
          console.log(`${error.branchCode}: ${error.message}; ${error.hint}`);
        }
        return success ? 0 : 1;
      }
    }
  } catch (error) {
    console.error(error instanceof BranchkeeperError ? `\n${error.reason}: ${error.message}` : error);
  } finally {
    client.close();
  }
  return 3;
}

process.exitCode = await deploy();
