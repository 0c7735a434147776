// Package branchkeeper is the client of Branchkeeper, which keeps the schema of a fleet of branch databases in step.
//
// [Connect] gives a [Client]. Its stubs are the generated ones; their calls get the token, a deadline, safe retries, and
// errors of type [*Error].
package branchkeeper

import (
	"context"
	"crypto/rand"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "github.com/branchkeeper/branchkeeper/clients/go/branchkeeperv1"
)

// Client is a connection to the service. It may be used by many goroutines at once.
type Client struct {
	// Branches is the register of branches.
	Branches pb.BranchServiceClient
	// Migrations migrates, and shows where branches stand.
	Migrations pb.MigrationServiceClient
	// Audit tells who did what.
	Audit pb.AuditServiceClient
	// Access says who may call.
	Access pb.AccessServiceClient
	// Notifications tells what people are told of.
	Notifications pb.NotificationServiceClient
	// Conn is for stubs of other services: their calls get the token, the deadline and the errors too.
	Conn *grpc.ClientConn

	health  grpc_health_v1.HealthClient
	options options
}

// Connect gives a client of the service at target, such as keeper:50051 or https://keeper.example. It does not wait for
// the service; WaitReady does. It fails when the options do not go together or a file cannot be read.
func Connect(target string, opts ...Option) (*Client, error) {
	client := &Client{options: options{
		deadline:    defaultDeadline,
		runDeadline: defaultRunDeadline,
		keepalive:   defaultKeepaliveInterval,
	}}
	for _, apply := range opts {
		apply(&client.options)
	}
	if err := client.options.check(target); err != nil {
		return nil, err
	}
	credentials, err := client.options.credentials()
	if err != nil {
		return nil, err
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials),
		grpc.WithUserAgent("branchkeeper-go/" + Version),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(defaultMaxMessageBytes)),
		// A service that was restarted is found again soon, not after minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: defaultBackoffInitial, Multiplier: 1.6, Jitter: 0.2, MaxDelay: defaultBackoffMax},
			MinConnectTimeout: defaultBackoffMax,
		}),
		grpc.WithUnaryInterceptor(client.unary),
		grpc.WithStreamInterceptor(client.stream),
	}
	if client.options.keepalive > 0 {
		alive := keepalive.ClientParameters{Time: client.options.keepalive, Timeout: defaultKeepaliveTimeout}
		dial = append(dial, grpc.WithKeepaliveParams(alive))
	}
	conn, err := grpc.NewClient(client.options.address, dial...)
	if err != nil {
		return nil, err
	}
	client.Conn = conn
	client.Branches = pb.NewBranchServiceClient(conn)
	client.Migrations = pb.NewMigrationServiceClient(conn)
	client.Audit = pb.NewAuditServiceClient(conn)
	client.Access = pb.NewAccessServiceClient(conn)
	client.Notifications = pb.NewNotificationServiceClient(conn)
	client.health = grpc_health_v1.NewHealthClient(conn)
	return client, nil
}

// Close closes the connection. Calls that are under way fail.
func (c *Client) Close() error { return c.Conn.Close() }

// Apply migrates one branch and answers when that is done. A request without RequestId gets one, so that it is safe to
// repeat, which happens by itself. A migration that fails is not an error: look at Result.Success.
func (c *Client) Apply(ctx context.Context, request *pb.ApplyRequest) (*pb.ApplyResponse, error) {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = newRequestID()
	}
	return c.Migrations.Apply(ctx, request)
}

// unary adds the token and the deadline, does the call again where that is safe, and translates its error.
func (c *Client) unary(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if _, has := ctx.Deadline(); !has {
		limit := c.options.deadline
		if namedMethods[method] {
			limit = c.options.runDeadline
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	canRepeat := repeatable(method, request)
	for failures := 1; ; failures++ {
		with, err := c.withToken(ctx)
		if err != nil {
			return err
		}
		failed := asError(invoke(with, method, request, reply, conn, opts...))
		if failed == nil {
			return nil
		}
		if failures >= defaultMaxAttempts || !again(failed, canRepeat) || !pause(ctx, waitAfter(failures, failed)) {
			return failed
		}
	}
}

// stream adds the token, and translates the stream's errors.
func (c *Client) stream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, err := c.withToken(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := open(ctx, desc, conn, method, opts...)
	if err != nil {
		return nil, asError(err)
	}
	return translated{stream}, nil
}

func (c *Client) withToken(ctx context.Context) (context.Context, error) {
	if c.options.token == nil {
		return ctx, nil
	}
	text, err := c.options.token.current()
	if err != nil {
		return nil, err
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+text), nil
}

func newRequestID() string {
	var id [16]byte
	// Never fails: the system's source of randomness ends the program rather than fail.
	_, _ = rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
