// Command example migrates the whole fleet from a deployment script, and shows how far it is.
//
// Usage: example [TARGET]; the token, if any, is in the file that BRANCHKEEPER_TOKEN_FILE names. Ends with 0 when every
// branch succeeded, 1 when some failed, 3 when the service could not do it.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	branchkeeper "github.com/branchkeeper/branchkeeper/clients/go"
	pb "github.com/branchkeeper/branchkeeper/clients/go/branchkeeperv1"
)

const width = 40

func main() { os.Exit(deploy(context.Background())) }

func deploy(ctx context.Context) int {
	target := "http://127.0.0.1:50051"
	if len(os.Args) > 1 {
		target = os.Args[1]
	}
	var options []branchkeeper.Option
	if file := os.Getenv("BRANCHKEEPER_TOKEN_FILE"); file != "" {
		options = append(options, branchkeeper.WithTokenFile(file))
	}
	client, err := branchkeeper.Connect(target, options...)
	if err != nil {
		return failed(err)
	}
	defer client.Close()
	if err := client.WaitReady(ctx, branchkeeper.MigrationService); err != nil {
		return failed(err)
	}
	for event, err := range client.ApplyAll(ctx, &pb.ApplyAllRequest{}) {
		if err != nil {
			return failed(err)
		}
		if done := event.GetBranchFinished(); done != nil {
			bar := strings.Repeat("#", width*int(done.BranchesDone)/int(done.BranchesTotal))
			fmt.Fprintf(os.Stderr, "\r[%-*s] %d/%d", width, bar, done.BranchesDone, done.BranchesTotal)
		}
		if end := event.GetRunFinished(); end != nil {
			fmt.Printf("\n%d succeeded, %d failed\n", end.Result.BranchesSucceeded, end.Result.BranchesFailed)
			for _, each := range end.Result.Errors {
				fmt.Printf("%s: %s; %s\n", each.BranchCode, each.Message, each.Hint)
			}
			if !end.Result.Success {
				return 1
			}
		}
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 3
}
