package branchkeeper

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const errorDomain = "branchkeeper"

// Error is a call that failed. What came of a migration is not an error but a result whose Success is false.
type Error struct {
	// Code is the gRPC status.
	Code codes.Code
	// Reason is one of the Reason constants; empty when the failure is not from the service but from the network or the
	// library.
	Reason string
	// Message says what happened.
	Message string
	// Hint says what to do; may be empty.
	Hint string
	// Branch is the branch that it is about; may be empty.
	Branch string
	// RetryDelay says when to try again; nil when the service does not say.
	RetryDelay *time.Duration
	// Metadata is what programs can read besides, by name.
	Metadata map[string]string
	// Violations are the fields of the request that cannot be accepted.
	Violations []Violation

	status *status.Status
	cause  error
}

// Violation is one field of a request that cannot be accepted.
type Violation struct {
	// Field is its name; empty when the violation is of no single field.
	Field string
	// Description says what is wrong with it.
	Description string
}

func (e *Error) Error() string {
	name := e.Reason
	if name == "" {
		name = e.Code.String()
	}
	return fmt.Sprintf("%s: %s", name, e.Message)
}

// Unwrap gives the error of gRPC.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus lets status.FromError and status.Code read the error.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// asError reads the details that the service put into its status.
func asError(err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	found := status.Convert(err)
	result := &Error{Code: found.Code(), Message: found.Message(), status: found, cause: err}
	resource := ""
	for _, detail := range found.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.Domain == errorDomain {
				result.Reason, result.Metadata = detail.Reason, detail.Metadata
			}
		case *errdetails.RetryInfo:
			delay := detail.RetryDelay.AsDuration()
			result.RetryDelay = &delay
		case *errdetails.ResourceInfo:
			if detail.ResourceType == "branch" {
				resource = detail.ResourceName
			}
		case *errdetails.BadRequest:
			for _, each := range detail.FieldViolations {
				result.Violations = append(result.Violations, Violation{each.Field, each.Description})
			}
		}
	}
	result.Hint, result.Branch = result.Metadata["hint"], result.Metadata["branch"]
	if result.Branch == "" {
		result.Branch = resource
	}
	return result
}

func newError(code codes.Code, message string) *Error {
	found := status.New(code, message)
	return &Error{Code: code, Message: message, status: found, cause: found.Err()}
}
