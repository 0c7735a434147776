package branchkeeper_test

import (
	"context"
	"errors"
	"iter"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	branchkeeper "github.com/branchkeeper/branchkeeper/clients/go"
	pb "github.com/branchkeeper/branchkeeper/clients/go/branchkeeperv1"
)

// all reads a stream to its end, and sees to it that the events are complete and without repetition.
func all(t *testing.T, stream iter.Seq2[*pb.RunEvent, error]) []*pb.RunEvent {
	t.Helper()
	var events []*pb.RunEvent
	for event, err := range stream {
		must(t, err)
		events = append(events, event)
		if event.Sequence != int64(len(events)) {
			t.Fatalf("event %d has number %d", len(events), event.Sequence)
		}
	}
	return events
}

func result(t *testing.T, events []*pb.RunEvent) *pb.MigrationResult {
	t.Helper()
	finished := events[len(events)-1].GetRunFinished()
	if finished == nil {
		t.Fatalf("the last event is %v", events[len(events)-1])
	}
	return finished.Result
}

func refused(t *testing.T, err error, reason string) *branchkeeper.Error {
	t.Helper()
	var failed *branchkeeper.Error
	if !errors.As(err, &failed) || failed.Reason != reason {
		t.Fatalf("expected %s, got %v", reason, err)
	}
	return failed
}

func last(stream iter.Seq2[*pb.RunEvent, error]) (err error) {
	for _, err = range stream {
	}
	return err
}

func TestABranchIsRegisteredAndMigrated(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, "BR001")
	answer, err := client.Apply(t.Context(), &pb.ApplyRequest{Branch: "BR001"})
	must(t, err)
	if !answer.Result.Success || len(answer.Result.AppliedMigrations) != 2 {
		t.Fatal(answer)
	}
	run, err := client.Migrations.GetRun(t.Context(), &pb.GetRunRequest{RunId: answer.RunId})
	must(t, err)
	if len(run.Run.RequestId) != 36 {
		t.Fatalf("the request's name is %q", run.Run.RequestId)
	}
}

func TestAllBranchesAreMigrated(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, fifty()...)
	events := all(t, client.ApplyAll(t.Context(), &pb.ApplyAllRequest{}))
	if result(t, events).BranchesSucceeded != 50 {
		t.Fatal(result(t, events))
	}
	// What was recorded can be watched again, from anywhere, and its end is known without an event too.
	run, end := events[0].RunId, int64(len(events))
	for after, expected := range map[int64]int{end - 3: 3, end: 0} {
		count := 0
		for event, err := range client.WatchRun(t.Context(), &pb.WatchRunRequest{RunId: run, AfterSequence: after}) {
			must(t, err)
			count++
			if event.Sequence != after+int64(count) {
				t.Fatalf("number %d after %d", event.Sequence, after)
			}
		}
		if count != expected {
			t.Fatalf("%d events after %d", count, after)
		}
	}
}

func TestACutStreamGoesOnWithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, fifty()...)
	proxy := newProxy(t, service.target, 3000, 5)
	through := connect(t, proxy.target)
	events := all(t, through.ApplyAll(within(t, time.Minute), &pb.ApplyAllRequest{IncludeStatements: true}))
	if result(t, events).BranchesSucceeded != 50 || proxy.cuts.Load() != 5 {
		t.Fatalf("%v after %d cuts", result(t, events), proxy.cuts.Load())
	}
	oneRun(t, client)
}

func oneRun(t *testing.T, client *branchkeeper.Client) {
	t.Helper()
	runs, err := client.Migrations.ListRuns(t.Context(), &pb.ListRunsRequest{})
	must(t, err)
	if len(runs.Runs) != 1 {
		t.Fatalf("there are %d runs", len(runs.Runs))
	}
}

func TestALostFirstAnswerBeginsNoSecondRun(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, "BR001")
	// Enough for the connection to begin, not enough for an event: the request arrives, its answer does not.
	proxy := newProxy(t, service.target, 60, 3)
	events := all(t, connect(t, proxy.target).ApplyAll(within(t, time.Minute), &pb.ApplyAllRequest{}))
	if !result(t, events).Success || proxy.cuts.Load() != 3 {
		t.Fatalf("%v after %d cuts", result(t, events), proxy.cuts.Load())
	}
	oneRun(t, client)
}

func TestARestartOfTheServiceEndsNoStream(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, fifty()...)
	count := int64(0)
	for event, err := range client.ApplyAll(within(t, time.Minute), &pb.ApplyAllRequest{MaxParallel: 1}) {
		must(t, err)
		if count++; event.Sequence != count {
			t.Fatalf("number %d at %d", event.Sequence, count)
		}
		if count == 10 {
			service.stop()
			service.start()
		}
		if finished := event.GetRunFinished(); finished != nil && finished.Result.BranchesSucceeded != 50 {
			t.Fatal(finished)
		}
	}
}

func TestAFailingBranchIsData(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, "BR001", "BR002")
	service.spoil("BR002")
	outcome := result(t, all(t, client.ApplyAll(t.Context(), &pb.ApplyAllRequest{})))
	if outcome.Success || outcome.BranchesSucceeded != 1 || outcome.Errors[0].BranchCode != "BR002" {
		t.Fatal(outcome)
	}
}

func TestAnUnknownBranchIsATypedError(t *testing.T) {
	t.Parallel()
	_, client := started(t)
	_, err := client.Apply(t.Context(), &pb.ApplyRequest{Branch: "NOWHERE"})
	failed := refused(t, err, branchkeeper.ReasonBranchNotFound)
	if failed.Code != codes.NotFound || failed.Branch != "NOWHERE" || failed.Hint == "" || status.Code(err) != codes.NotFound {
		t.Fatalf("%+v", failed)
	}
	err = last(client.ApplyAll(t.Context(), &pb.ApplyAllRequest{Branches: []string{"NOWHERE"}}))
	refused(t, err, branchkeeper.ReasonBranchNotFound)
	err = last(client.WatchRun(t.Context(), &pb.WatchRunRequest{RunId: "00000000-0000-7000-8000-000000000000"}))
	refused(t, err, branchkeeper.ReasonRunNotFound)
	_, err = client.Branches.CreateBranch(t.Context(), &pb.CreateBranchRequest{Branch: &pb.Branch{Code: "no blanks"}})
	if failed = refused(t, err, branchkeeper.ReasonInvalidRequest); len(failed.Violations) == 0 {
		t.Fatalf("%+v", failed)
	}
}

func TestADeadlinePasses(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, "BR001")
	_, err := client.Apply(within(t, 2*time.Millisecond), &pb.ApplyRequest{Branch: "BR001"})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
	short := connect(t, service.target, branchkeeper.WithDeadline(time.Nanosecond))
	_, err = short.Migrations.Pending(t.Context(), &pb.PendingRequest{Branch: "BR001"})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
}

func TestACancelledContextEndsTheStream(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, fifty()...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var failed error
	for _, err := range client.ApplyAll(ctx, &pb.ApplyAllRequest{MaxParallel: 1}) {
		cancel()
		failed = err
	}
	if status.Code(failed) != codes.Canceled {
		t.Fatal(failed)
	}
}

func TestAServiceIsWaitedFor(t *testing.T) {
	t.Parallel()
	service := newService(t)
	client := connect(t, service.target)
	err := client.WaitReady(within(t, 300*time.Millisecond), branchkeeper.MigrationService)
	if status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "Unavailable") {
		t.Fatal(err)
	}
	service.start()
	must(t, client.WaitReady(t.Context(), branchkeeper.MigrationService))
	must(t, client.WaitReady(t.Context(), ""))
}

func TestTheExampleShowsProgress(t *testing.T) {
	t.Parallel()
	service, client := started(t)
	service.register(client, "BR001", "BR002")
	shown, err := exec.CommandContext(within(t, time.Minute), "go", "run", "./example", service.target).CombinedOutput()
	must(t, err)
	if text := string(shown); !strings.Contains(text, "2/2") || !strings.Contains(text, "2 succeeded, 0 failed") {
		t.Fatal(text)
	}
}

func TestATokenIsNeededWhereTheServiceAsksForOne(t *testing.T) {
	t.Parallel()
	service := newService(t)
	service.start("BRANCHKEEPER__AUTH__JWT__SECRET_REF=env:CLIENT_TEST_SECRET",
		"CLIENT_TEST_SECRET=for tests only: nobody is let in by this")
	must(t, connect(t, service.target).WaitReady(t.Context(), branchkeeper.MigrationService))
	for _, each := range []struct {
		reason string
		given  []branchkeeper.Option
	}{
		{branchkeeper.ReasonUnauthenticated, nil},
		{branchkeeper.ReasonUnauthenticated, []branchkeeper.Option{branchkeeper.WithToken("garbage")}},
		{branchkeeper.ReasonUnauthenticated, []branchkeeper.Option{branchkeeper.WithTokenFile("../testdata/expired-token")}},
		{branchkeeper.ReasonBranchNotFound, []branchkeeper.Option{branchkeeper.WithTokenFile("../testdata/token")}},
	} {
		client := connect(t, service.target, each.given...)
		_, err := client.Apply(t.Context(), &pb.ApplyRequest{Branch: "NOWHERE"})
		refused(t, err, each.reason)
		err = last(client.ApplyAll(t.Context(), &pb.ApplyAllRequest{Branches: []string{"NOWHERE"}}))
		refused(t, err, each.reason)
	}
}
