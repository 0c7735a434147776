package io.branchkeeper.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.branchkeeper.example.Deploy;
import io.branchkeeper.v1.ApplyAllRequest;
import io.branchkeeper.v1.ApplyRequest;
import io.branchkeeper.v1.ApplyResponse;
import io.branchkeeper.v1.Branch;
import io.branchkeeper.v1.CreateBranchRequest;
import io.branchkeeper.v1.GetRunRequest;
import io.branchkeeper.v1.ListRunsRequest;
import io.branchkeeper.v1.MigrationResult;
import io.branchkeeper.v1.RunEvent;
import io.branchkeeper.v1.WatchRunRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The client against the real service. */
@Timeout(90)
class ClientTest {
  private Service service;
  private BranchkeeperClient client;

  @BeforeEach
  void start() throws Exception {
    service = new Service().start();
    client = BranchkeeperClient.connect(service.target);
    client.waitReady();
  }

  @AfterEach
  void stop() throws Exception {
    client.close();
    service.close();
  }

  /** Reads a stream to its end, and sees to it that the events are complete and without repetition. */
  private static List<RunEvent> all(RunEvents stream) {
    List<RunEvent> events = new ArrayList<>();
    try (stream) {
      for (RunEvent event : stream) {
        events.add(event);
        assertEquals(events.size(), event.getSequence());
      }
    }
    return events;
  }

  private static MigrationResult result(List<RunEvent> events) {
    RunEvent last = events.get(events.size() - 1);
    assertTrue(last.hasRunFinished());
    return last.getRunFinished().getResult();
  }

  private int runs() {
    return client.migrations().listRuns(ListRunsRequest.getDefaultInstance()).getRunsCount();
  }

  @Test
  void aBranchIsRegisteredAndMigrated() {
    service.register(client, List.of("BR001"));
    ApplyResponse answer = client.apply("BR001");
    assertTrue(answer.getResult().getSuccess());
    assertEquals(2, answer.getResult().getAppliedMigrationsCount());
    GetRunRequest which = GetRunRequest.newBuilder().setRunId(answer.getRunId()).build();
    assertEquals(36, client.migrations().getRun(which).getRun().getRequestId().length());
  }

  @Test
  void allBranchesAreMigrated() {
    service.register(client, Service.FIFTY);
    List<RunEvent> events = all(client.applyAll(ApplyAllRequest.getDefaultInstance()));
    assertEquals(50, result(events).getBranchesSucceeded());
    // What was recorded can be watched again, from anywhere, and its end is known without an event too.
    WatchRunRequest.Builder watch = WatchRunRequest.newBuilder().setRunId(events.get(0).getRunId());
    long end = events.size();
    List<Long> seen = new ArrayList<>();
    client.watchRun(watch.setAfterSequence(end - 3).build()).forEachRemaining(each -> seen.add(each.getSequence()));
    assertEquals(List.of(end - 2, end - 1, end), seen);
    assertFalse(client.watchRun(watch.setAfterSequence(end).build()).hasNext());
  }

  @Test
  void aCutStreamGoesOnWithoutLossOrRepetition() throws Exception {
    service.register(client, Service.FIFTY);
    try (CuttingProxy proxy = new CuttingProxy(service.port, 3000, 5);
        BranchkeeperClient through = BranchkeeperClient.connect(proxy.target)) {
      List<RunEvent> events = all(through.applyAll(ApplyAllRequest.newBuilder().setIncludeStatements(true).build()));
      assertEquals(50, result(events).getBranchesSucceeded());
      assertEquals(5, proxy.cuts.get());
    }
    assertEquals(1, runs());
  }

  @Test
  void aLostFirstAnswerBeginsNoSecondRun() throws Exception {
    service.register(client, List.of("BR001"));
    // Enough for the connection to begin, not enough for an event: the request arrives, its answer does not.
    try (CuttingProxy proxy = new CuttingProxy(service.port, 60, 3);
        BranchkeeperClient through = BranchkeeperClient.connect(proxy.target)) {
      assertTrue(result(all(through.applyAll(ApplyAllRequest.getDefaultInstance()))).getSuccess());
      assertEquals(3, proxy.cuts.get());
    }
    assertEquals(1, runs());
  }

  @Test
  void aRestartOfTheServiceEndsNoStream() throws Exception {
    service.register(client, Service.FIFTY);
    List<RunEvent> events = new ArrayList<>();
    try (RunEvents stream = client.applyAll(ApplyAllRequest.newBuilder().setMaxParallel(1).build())) {
      for (RunEvent event : stream) {
        events.add(event);
        assertEquals(events.size(), event.getSequence());
        if (events.size() == 10) {
          service.stop();
          service.start();
        }
      }
    }
    assertEquals(50, result(events).getBranchesSucceeded());
  }

  @Test
  void aFailingBranchIsData() throws Exception {
    service.register(client, List.of("BR001", "BR002"));
    service.spoil("BR002");
    MigrationResult outcome = result(all(client.applyAll(ApplyAllRequest.getDefaultInstance())));
    assertFalse(outcome.getSuccess());
    assertEquals(1, outcome.getBranchesSucceeded());
    assertEquals("BR002", outcome.getErrors(0).getBranchCode());
  }

  @Test
  void anUnknownBranchIsATypedException() {
    BranchkeeperException error = assertThrows(BranchkeeperException.class, () -> client.apply("NOWHERE"));
    assertEquals(Status.Code.NOT_FOUND, error.code());
    assertEquals(Reason.BRANCH_NOT_FOUND, error.reason());
    assertEquals("NOWHERE", error.branch());
    assertFalse(error.hint().isEmpty());
    ApplyAllRequest some = ApplyAllRequest.newBuilder().addBranches("NOWHERE").build();
    error = assertThrows(BranchkeeperException.class, () -> all(client.applyAll(some)));
    assertEquals(Reason.BRANCH_NOT_FOUND, error.reason());
    WatchRunRequest watch = WatchRunRequest.newBuilder().setRunId("00000000-0000-7000-8000-000000000000").build();
    error = assertThrows(BranchkeeperException.class, () -> all(client.watchRun(watch)));
    assertEquals(Reason.RUN_NOT_FOUND, error.reason());
    Branch wrong = Branch.newBuilder().setCode("no blanks").build();
    CreateBranchRequest create = CreateBranchRequest.newBuilder().setBranch(wrong).build();
    error =
        assertThrows(
            BranchkeeperException.class, () -> client.call(Kind.WRITE, () -> client.branches().createBranch(create)));
    assertTrue(error.violations().stream().anyMatch(each -> each.field().equals("branch.code")));
  }

  @Test
  void aDeadlinePasses() {
    service.register(client, List.of("BR001"));
    ApplyRequest request = ApplyRequest.newBuilder().setBranch("BR001").build();
    BranchkeeperException error =
        assertThrows(BranchkeeperException.class, () -> client.apply(request, Duration.ofMillis(2)));
    assertEquals(Status.Code.DEADLINE_EXCEEDED, error.code());
  }

  @Test
  void aClosedStreamEnds() {
    service.register(client, Service.FIFTY);
    RunEvents stream = client.applyAll(ApplyAllRequest.newBuilder().setMaxParallel(1).build());
    assertTrue(stream.hasNext());
    stream.close();
    assertThrows(BranchkeeperException.class, () -> stream.forEachRemaining(each -> {}));
  }

  @Test
  void aServiceThatStartsLateIsWaitedFor() throws Exception {
    try (Service late = new Service();
        BranchkeeperClient waiting = BranchkeeperClient.connect(late.target)) {
      BranchkeeperException error =
          assertThrows(
              BranchkeeperException.class,
              () -> waiting.waitReady(BranchkeeperClient.MIGRATION_SERVICE, Duration.ofMillis(400)));
      assertEquals(Status.Code.DEADLINE_EXCEEDED, error.code());
      assertTrue(error.getMessage().contains("UNAVAILABLE"), error.getMessage());
      late.start();
      waiting.waitReady();
      waiting.waitReady("", Duration.ofSeconds(10));
    }
  }

  @Test
  void aTokenIsNeededWhereTheServiceAsksForOne() throws Exception {
    Map<String, String> variables =
        Map.of(
            "BRANCHKEEPER__AUTH__JWT__SECRET_REF", "env:CLIENT_TEST_SECRET",
            "CLIENT_TEST_SECRET", "for tests only: nobody is let in by this");
    Map<Options, String> cases =
        Map.of(
            new Options(), Reason.UNAUTHENTICATED,
            new Options().token("garbage"), Reason.UNAUTHENTICATED,
            new Options().tokenFile(Path.of("../testdata/expired-token")), Reason.UNAUTHENTICATED,
            new Options().tokenFile(Path.of("../testdata/token")), Reason.BRANCH_NOT_FOUND);
    try (Service guarded = new Service().start(variables)) {
      for (Map.Entry<Options, String> each : cases.entrySet()) {
        try (BranchkeeperClient caller = BranchkeeperClient.connect(guarded.target, each.getKey())) {
          caller.waitReady();
          BranchkeeperException error = assertThrows(BranchkeeperException.class, () -> caller.apply("NOWHERE"));
          assertEquals(each.getValue(), error.reason());
          ApplyAllRequest some = ApplyAllRequest.newBuilder().addBranches("NOWHERE").build();
          error = assertThrows(BranchkeeperException.class, () -> all(caller.applyAll(some)));
          assertEquals(each.getValue(), error.reason());
        }
      }
    }
  }

  @Test
  void aStubSErrorCanBeRead() {
    StatusRuntimeException failed =
        assertThrows(
            StatusRuntimeException.class,
            () -> client.migrations().apply(ApplyRequest.newBuilder().setBranch("NOWHERE").build()));
    assertEquals(Reason.BRANCH_NOT_FOUND, BranchkeeperException.from(failed).reason());
  }

  @Test
  void theExampleTellsTheOutcome() throws Exception {
    service.register(client, List.of("BR001", "BR002"));
    assertEquals(0, Deploy.deploy(service.target));
  }
}
