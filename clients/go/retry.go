package branchkeeper

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

// named is a request that may carry the client's own name.
type named interface{ GetRequestId() string }

// repeatable says whether doing it twice is the same as doing it once.
func repeatable(method string, request any) bool {
	if readMethods[method] {
		return true
	}
	name, ok := request.(named)
	return ok && namedMethods[method] && name.GetRequestId() != ""
}

// again says whether the status says that trying again is safe and may help.
func again(err *Error, canRepeat bool) bool {
	refused := err.Reason == ReasonOverloaded || err.Reason == ReasonRateLimited
	if err.Code == codes.ResourceExhausted && refused {
		return true
	}
	asked := (err.Code == codes.ResourceExhausted || err.Code == codes.Aborted) && err.RetryDelay != nil
	return canRepeat && (err.Code == codes.Unavailable || asked)
}

// waitAfter is the wait after so many failures in a row.
func waitAfter(failures int, err *Error) time.Duration {
	longest := min(defaultBackoffMax, defaultBackoffInitial<<min(failures-1, 16))
	wait := time.Duration(rand.Float64() * float64(longest))
	if err != nil && err.RetryDelay != nil {
		wait += *err.RetryDelay
	}
	return wait
}

// pause waits; false when the context would end first, or has ended.
func pause(ctx context.Context, wait time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
