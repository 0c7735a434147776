package branchkeeper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/branchkeeper/branchkeeper/clients/go/branchkeeperv1"
)

func TestTargets(t *testing.T) {
	for target, expected := range map[string]string{
		"keeper": "keeper:50051", "keeper:7": "keeper:7", "http://keeper:7/": "keeper:7", "https://keeper": "keeper:50051", "[::1]:7": "[::1]:7",
	} {
		checked := options{deadline: 1, runDeadline: 1}
		if err := checked.check(target); err != nil || checked.address != expected || checked.tls != strings.HasPrefix(target, "https") {
			t.Errorf("%s: %v %+v", target, err, checked)
		}
	}
	for _, target := range []string{"", "ftp://keeper", "http://u:hunter2@keeper", "http://keeper/x", "keeper:x"} {
		if _, err := Connect(target); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestATokenIsNotSentInTheClear(t *testing.T) {
	for _, target := range []string{"localhost", "127.0.0.1:7", "[::1]:7", "https://keeper"} {
		if _, err := Connect(target, WithToken("secret")); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
	if _, err := Connect("keeper", WithToken("secret")); err == nil {
		t.Error("it would be sent")
	}
	if _, err := Connect("keeper", WithToken("secret"), AllowInsecureToken()); err != nil {
		t.Error(err)
	}
}

func TestATokenFileIsReadAgainWhenItChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	secret := token{file: file}
	for _, text := range []string{"first\n", "second one\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := secret.current(); err != nil || got != strings.TrimSpace(text) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	second := time.Second
	for _, each := range []struct {
		err         Error
		read, write bool
	}{
		{Error{Code: codes.Unavailable}, true, false},
		{Error{Code: codes.Aborted, RetryDelay: &second}, true, false},
		{Error{Code: codes.Aborted}, false, false},
		{Error{Code: codes.ResourceExhausted}, false, false},
		{Error{Code: codes.ResourceExhausted, Reason: ReasonOverloaded}, true, true},
		{Error{Code: codes.ResourceExhausted, Reason: ReasonRateLimited}, true, true},
		{Error{Code: codes.DeadlineExceeded}, false, false},
		{Error{Code: codes.Internal}, false, false},
	} {
		if again(&each.err, true) != each.read || again(&each.err, false) != each.write {
			t.Errorf("%+v", each)
		}
	}
	apply := "/branchkeeper.v1.MigrationService/Apply"
	if !repeatable(apply, &pb.ApplyRequest{RequestId: "a"}) || repeatable(apply, &pb.ApplyRequest{}) {
		t.Error("only a named request may be repeated")
	}
	if repeatable("/branchkeeper.v1.BranchService/CreateBranch", &pb.CreateBranchRequest{}) {
		t.Error("a write may not be repeated")
	}
}

func TestWaitsGrowAndKeepToWhatWasAsked(t *testing.T) {
	asked := 2 * time.Second
	for range 100 {
		if waitAfter(1, nil) > 200*time.Millisecond || waitAfter(50, nil) > 5*time.Second {
			t.Fatal("too long")
		}
		if wait := waitAfter(1, &Error{RetryDelay: &asked}); wait < asked || wait > asked+200*time.Millisecond {
			t.Fatal(wait)
		}
	}
}
