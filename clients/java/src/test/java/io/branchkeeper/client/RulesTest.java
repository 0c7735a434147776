package io.branchkeeper.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rules of docs/clients.md that need no service. */
class RulesTest {
  private static BranchkeeperException error(Status.Code code, String reason, boolean delayed) {
    com.google.rpc.Status.Builder status = com.google.rpc.Status.newBuilder().setCode(code.value());
    if (!reason.isEmpty()) {
      status.addDetails(Any.pack(ErrorInfo.newBuilder().setDomain("branchkeeper").setReason(reason).build()));
    }
    if (delayed) {
      Duration delay = Duration.newBuilder().setSeconds(2).build();
      status.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()));
    }
    return BranchkeeperException.from(StatusProto.toStatusRuntimeException(status.build()));
  }

  @Test
  void targets() {
    Map<String, String> cases =
        Map.of(
            "keeper", "keeper:50051",
            "keeper:7", "keeper:7",
            "http://keeper:7/", "keeper:7",
            "https://keeper", "keeper:50051",
            "[::1]:7", "[::1]:7");
    cases.forEach((target, address) -> assertEquals(address, Target.of(target).host + ":" + Target.of(target).port));
    assertTrue(Target.of("https://keeper").tls && !Target.of("http://keeper").tls);
    String[] wrong = {"", "ftp://keeper", "http://u:hunter2@keeper", "http://keeper/x", "keeper:x", "keeper:99999"};
    for (String each : wrong) {
      Exception refused = assertThrows(IllegalArgumentException.class, () -> BranchkeeperClient.connect(each));
      assertFalse(refused.getMessage().contains("hunter2"));
    }
  }

  @Test
  void aTokenIsNotSentInTheClear() throws Exception {
    for (String target : new String[] {"localhost", "127.0.0.1:7", "[::1]:7", "https://keeper"}) {
      BranchkeeperClient.connect(target, new Options().token("secret")).close();
    }
    for (String target : new String[] {"keeper", "127.0.0.1.example"}) {
      assertThrows(
          IllegalArgumentException.class, () -> BranchkeeperClient.connect(target, new Options().token("secret")));
    }
    BranchkeeperClient.connect("keeper", new Options().token("secret").allowInsecureToken()).close();
  }

  @Test
  void aTokenFileIsReadAgainWhenItChanges(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("token");
    Rules rules = new Rules(new Options().tokenFile(file));
    for (String text : new String[] {"first\n", "second one\n"}) {
      Files.writeString(file, text);
      assertEquals(text.strip(), rules.token());
    }
  }

  @Test
  void whatIsTriedAgain() {
    Object[][] cases = {
      {error(Status.Code.UNAVAILABLE, "", false), true, false},
      {error(Status.Code.ABORTED, "BRANCH_LOCKED", true), true, false},
      {error(Status.Code.ABORTED, "", false), false, false},
      {error(Status.Code.RESOURCE_EXHAUSTED, "", false), false, false},
      {error(Status.Code.RESOURCE_EXHAUSTED, "OVERLOADED", true), true, true},
      {error(Status.Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", true), true, true},
      {error(Status.Code.DEADLINE_EXCEEDED, "", false), false, false},
      {error(Status.Code.INTERNAL, "", false), false, false},
    };
    for (Object[] each : cases) {
      BranchkeeperException error = (BranchkeeperException) each[0];
      assertEquals(each[1], Retries.again(error, Kind.READ), error.toString());
      assertEquals(each[1], Retries.again(error, Kind.NAMED), error.toString());
      assertEquals(each[2], Retries.again(error, Kind.WRITE), error.toString());
    }
    assertTrue(Retries.broken(error(Status.Code.INTERNAL, "", false)));
    assertFalse(Retries.broken(error(Status.Code.INTERNAL, "INTERNAL", false)));
    assertFalse(Retries.broken(error(Status.Code.NOT_FOUND, "", false)));
  }

  @Test
  void waitsGrowAndKeepToWhatWasAsked() {
    for (int n = 0; n < 100; n++) {
      BranchkeeperException plain = error(Status.Code.UNAVAILABLE, "", false);
      assertTrue(Retries.waitAfter(1, plain).toMillis() <= 200 && Retries.waitAfter(50, plain).toMillis() <= 5000);
      long wait = Retries.waitAfter(1, error(Status.Code.UNAVAILABLE, "DRAINING", true)).toMillis();
      assertTrue(wait >= 2000 && wait <= 2200);
    }
  }
}
