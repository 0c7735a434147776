package io.branchkeeper.example;

import io.branchkeeper.client.BranchkeeperClient;
import io.branchkeeper.client.BranchkeeperException;
import io.branchkeeper.client.Options;
import io.branchkeeper.client.RunEvents;
import io.branchkeeper.v1.ApplyAllRequest;
import io.branchkeeper.v1.BranchFinished;
import io.branchkeeper.v1.MigrationError;
import io.branchkeeper.v1.MigrationResult;
import io.branchkeeper.v1.RunEvent;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Migrates the whole fleet from a deployment script, and shows how far it is.
 *
 * <p>Usage: {@code Deploy [TARGET]}; the token, if any, is in the file that BRANCHKEEPER_TOKEN_FILE names. Ends with 0
 * when every branch succeeded, 1 when some failed, 3 when the service could not do it.
 */
public final class Deploy {
  private static final int WIDTH = 40;

  private Deploy() {}

  public static void main(String[] arguments) throws IOException {
    System.exit(deploy(arguments.length > 0 ? arguments[0] : "http://127.0.0.1:50051"));
  }

  public static int deploy(String target) throws IOException {
    Options options = new Options();
    String file = System.getenv("BRANCHKEEPER_TOKEN_FILE");
    if (file != null) {
      options.tokenFile(Path.of(file));
    }
    try (BranchkeeperClient client = BranchkeeperClient.connect(target, options)) {
      client.waitReady();
      try (RunEvents events = client.applyAll(ApplyAllRequest.getDefaultInstance())) {
        for (RunEvent event : events) {
          if (event.hasBranchFinished()) {
            BranchFinished done = event.getBranchFinished();
            String bar = "#".repeat(WIDTH * done.getBranchesDone() / done.getBranchesTotal());
            System.err.printf("\r[%-" + WIDTH + "s] %d/%d", bar, done.getBranchesDone(), done.getBranchesTotal());
          } else if (event.hasRunFinished()) {
            MigrationResult result = event.getRunFinished().getResult();
            System.out.printf(
                "%n%d succeeded, %d failed%n", result.getBranchesSucceeded(), result.getBranchesFailed());
            for (MigrationError error : result.getErrorsList()) {
              System.out.printf("%s: %s; %s%n", error.getBranchCode(), error.getMessage(), error.getHint());
            }
            return result.getSuccess() ? 0 : 1;
          }
        }
      }
    } catch (BranchkeeperException error) {
      System.err.println(error);
    }
    return 3;
  }
}
