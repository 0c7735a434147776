"""Migrates the whole fleet from a deployment script, and shows how far it is.

Usage: python deploy.py [TARGET]; the token, if any, is in the file that BRANCHKEEPER_TOKEN_FILE names.
Ends with 0 when every branch succeeded, 1 when some failed, 3 when the service could not do it.
"""

import os
import sys

import branchkeeper

WIDTH = 40


def main() -> int:
    target = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:50051"
    try:
        with branchkeeper.connect(target, token_file=os.environ.get("BRANCHKEEPER_TOKEN_FILE")) as client:
            client.wait_ready()
            for event in client.apply_all():
                kind = event.WhichOneof("event")
                if kind == "branch_finished":
                    done, total = event.branch_finished.branches_done, event.branch_finished.branches_total
                    bar = "#" * (WIDTH * done // total)
                    print(f"\r[{bar:<{WIDTH}}] {done}/{total}", end="", file=sys.stderr, flush=True)
                elif kind == "run_finished":
                    result = event.run_finished.result
                    print(f"\n{result.branches_succeeded} succeeded, {result.branches_failed} failed")
                    for error in result.errors:
                        print(f"{error.branch_code}: {error.message}; {error.hint}")
                    return 0 if result.success else 1
    except branchkeeper.BranchkeeperError as error:
        print(f"\n{error}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
