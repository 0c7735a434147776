package branchkeeper

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// MigrationService is the name of the service to wait for before migrating.
const MigrationService = "branchkeeper.v1.MigrationService"

// WaitReady waits until a service is there and ready to work; an empty name means the service as a whole. A context
// without a deadline gets one of 60 s. It fails with DEADLINE_EXCEEDED, saying what was seen last.
func (c *Client) WaitReady(ctx context.Context, service string) error {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultReadyTimeout)
		defer cancel()
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		seen, ready, err := c.check(ctx, service)
		if ready || err != nil {
			return err
		}
		if !pause(ctx, wait) {
			return notReady(ctx, service, seen)
		}
	}
}

// check asks once. An error is one that waiting does not help.
func (c *Client) check(ctx context.Context, service string) (seen string, ready bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, defaultReadyCheck)
	defer cancel()
	answer, err := c.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	if err == nil {
		return answer.Status.String(), answer.Status == grpc_health_v1.HealthCheckResponse_SERVING, nil
	}
	failed := asError(err)
	switch failed.Code {
	case codes.NotFound, codes.Unavailable, codes.DeadlineExceeded:
		return failed.Error(), false, nil
	}
	return "", false, failed
}

func notReady(ctx context.Context, service, seen string) error {
	if ctx.Err() == context.Canceled {
		return newError(codes.Canceled, "the wait for the service was cancelled")
	}
	return newError(codes.DeadlineExceeded, fmt.Sprintf("%q was not ready in time; the last answer was %s", service, seen))
}
