package branchkeeper

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "github.com/branchkeeper/branchkeeper/clients/go/branchkeeperv1"
)

// ApplyAll migrates all active branches that the request selects, and gives the run's events, each once and in order. It
// ends after run_finished, or with an error as the last pair.
//
// The run begins with the loop. A connection that breaks is made again, and the stream goes on after the last event seen.
// Leaving the loop, or ending ctx, does not stop the run: CancelRun does.
func (c *Client) ApplyAll(ctx context.Context, request *pb.ApplyAllRequest) iter.Seq2[*pb.RunEvent, error] {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = newRequestID()
	}
	return func(yield func(*pb.RunEvent, error) bool) {
		(&following{client: c, request: request, statements: request.IncludeStatements}).run(ctx, yield)
	}
}

// WatchRun gives the events of a run after a sequence number, to the run's end, over broken connections as ApplyAll.
func (c *Client) WatchRun(ctx context.Context, request *pb.WatchRunRequest) iter.Seq2[*pb.RunEvent, error] {
	return func(yield func(*pb.RunEvent, error) bool) {
		start := following{client: c, runID: request.RunId, last: request.AfterSequence, statements: request.IncludeStatements}
		start.run(ctx, yield)
	}
}

// following is where a stream of a run's events stands, over all its connections.
type following struct {
	client       *Client
	request      *pb.ApplyAllRequest
	runID        string
	last         int64
	statements   bool
	over         bool
	failures     int
	failingSince time.Time
}

func (f *following) run(ctx context.Context, yield func(*pb.RunEvent, error) bool) {
	for {
		err := f.once(ctx, func(event *pb.RunEvent) bool { return yield(event, nil) })
		if f.over {
			return
		}
		if err == nil && f.runID != "" {
			answer, failed := f.client.Migrations.GetRun(ctx, &pb.GetRunRequest{RunId: f.runID})
			if failed != nil {
				yield(nil, failed)
				return
			}
			if answer.Run.EndTime != nil && answer.Run.LastSequence <= f.last {
				return
			}
		}
		if failed := f.wait(ctx, err); failed != nil {
			yield(nil, failed)
			return
		}
	}
}

// once follows the run over one connection, until that ends; nil when it ended without an error.
func (f *following) once(ctx context.Context, yield func(*pb.RunEvent) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, err := f.open(ctx)
	for err == nil {
		var event *pb.RunEvent
		if event, err = next(); err != nil {
			break
		}
		f.runID = event.RunId
		if event.Sequence <= f.last {
			continue
		}
		f.last, f.failures = event.Sequence, 0
		f.over = event.GetRunFinished() != nil
		if !yield(event) {
			f.over = true
		}
		if f.over {
			return nil
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (f *following) open(ctx context.Context) (func() (*pb.RunEvent, error), error) {
	if f.runID == "" {
		stream, err := f.client.Migrations.ApplyAll(ctx, f.request)
		return func() (*pb.RunEvent, error) {
			answer, err := stream.Recv()
			return answer.GetEvent(), err
		}, err
	}
	request := &pb.WatchRunRequest{RunId: f.runID, AfterSequence: f.last, IncludeStatements: f.statements}
	stream, err := f.client.Migrations.WatchRun(ctx, request)
	return func() (*pb.RunEvent, error) {
		answer, err := stream.Recv()
		return answer.GetEvent(), err
	}, err
}

// wait waits before the stream is opened again; its error is why it is not to be.
func (f *following) wait(ctx context.Context, err error) error {
	failed := newError(codes.Unavailable, "the stream ended before the run")
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if f.failures == 0 {
		f.failingSince = time.Now()
	}
	f.failures++
	begun := f.runID != ""
	gaveUp := begun && time.Since(f.failingSince) > defaultReattachFor || !begun && f.failures >= defaultMaxAttempts
	if ctx.Err() != nil || gaveUp || !broken(failed) || !pause(ctx, waitAfter(f.failures, failed)) {
		return failed
	}
	return nil
}

// broken says whether a stream that ended like this is to be opened again.
func broken(err *Error) bool {
	if err.Reason == "" {
		switch err.Code {
		case codes.Unavailable, codes.Internal, codes.Unknown, codes.Canceled, codes.Aborted:
			return true
		}
	}
	return again(err, true)
}

// translated is a stream whose errors are of type *Error.
type translated struct{ grpc.ClientStream }

func (t translated) RecvMsg(message any) error { return translate(t.ClientStream.RecvMsg(message)) }

func (t translated) SendMsg(message any) error { return translate(t.ClientStream.SendMsg(message)) }

func translate(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return asError(err)
}
