"""The client for threads against the real service."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from support import AUTHENTICATED, TOKENS, CuttingProxy, Service, free_port

import branchkeeper
from branchkeeper import Reason, v1

CODES = [f"BR{number:03}" for number in range(1, 51)]


@pytest.fixture
def service():
    with Service() as running:
        yield running


@pytest.fixture
def client(service):
    with branchkeeper.connect(service.target) as connected:
        connected.wait_ready()
        yield connected


def sequences(events):
    return [event.sequence for event in events]


def test_a_branch_is_registered_and_migrated(service, client):
    service.register(client, "BR001")
    answer = client.apply("BR001")
    assert answer.result.success and len(answer.result.applied_migrations) == 2
    assert client.migrations.Pending(v1.PendingRequest(branch="BR001")).count == 0


def test_apply_gives_a_request_id_and_keeps_the_caller_s(service, client):
    service.register(client, "BR001")
    runs = {client.apply(v1.ApplyRequest(branch="BR001", request_id="mine")).run_id for _ in range(2)}
    assert len(runs) == 1
    assert client.apply("BR001").run_id not in runs
    listed = client.migrations.ListRuns(v1.ListRunsRequest()).runs
    assert all(run.request_id for run in listed)


def test_all_branches_are_migrated(service, client):
    service.register(client, *CODES)
    events = list(client.apply_all())
    assert sequences(events) == list(range(1, len(events) + 1))
    assert {e.branch_finished.branch_code for e in events if e.WhichOneof("event") == "branch_finished"} == set(CODES)
    assert events[-1].run_finished.result.branches_succeeded == 50
    # What was recorded can be watched again, from anywhere, and its end is known without an event too.
    run, last = events[0].run_id, events[-1].sequence
    assert sequences(client.watch_run(run, after_sequence=last - 3)) == [last - 2, last - 1, last]
    assert list(client.watch_run(run, after_sequence=last)) == []


def test_a_cut_stream_goes_on_without_loss_or_repetition(service, client):
    service.register(client, *CODES)
    proxy = CuttingProxy(service.port, limit=3000)
    with branchkeeper.connect(proxy.target) as through:
        events = list(through.apply_all(v1.ApplyAllRequest(include_statements=True)))
    proxy.close()
    assert sequences(events) == list(range(1, len(events) + 1))
    assert events[-1].run_finished.result.branches_succeeded == 50
    assert proxy.cuts == 5
    # The run was begun once, though its first answer was lost or not.
    assert len(client.migrations.ListRuns(v1.ListRunsRequest()).runs) == 1


def test_a_lost_first_answer_begins_no_second_run(service, client):
    service.register(client, "BR001")
    # Enough for the connection to begin, not enough for an event: the request arrives, its answer does not.
    proxy = CuttingProxy(service.port, limit=60, most=3)
    with branchkeeper.connect(proxy.target) as through:
        events = list(through.apply_all())
    proxy.close()
    assert events[-1].run_finished.result.success and proxy.cuts == 3
    assert len(client.migrations.ListRuns(v1.ListRunsRequest()).runs) == 1


def test_a_restart_of_the_service_ends_no_stream(service, client):
    service.register(client, *CODES)
    events = []
    for event in client.apply_all(v1.ApplyAllRequest(max_parallel=1)):
        events.append(event)
        if len(events) == 10:
            service.stop()
            service.start()
    assert sequences(events) == list(range(1, len(events) + 1))
    assert events[-1].run_finished.result.branches_succeeded == 50


def test_a_failing_branch_is_data(service, client):
    service.register(client, "BR001", "BR002")
    service.spoil("BR002")
    result = list(client.apply_all())[-1].run_finished.result
    assert not result.success and result.branches_succeeded == 1
    error = result.errors[0]
    assert error.branch_code == "BR002" and error.line == 1 and error.message
    answer = client.apply("BR002")
    assert not answer.result.success


def test_an_unknown_branch_is_a_typed_error(client):
    with pytest.raises(branchkeeper.BranchkeeperError) as failed:
        client.apply("NOWHERE")
    error = failed.value
    assert error.code == grpc.StatusCode.NOT_FOUND
    assert error.reason == Reason.BRANCH_NOT_FOUND and error.branch == "NOWHERE" and error.hint
    with pytest.raises(branchkeeper.BranchkeeperError) as failed:
        list(client.apply_all(v1.ApplyAllRequest(branches=["NOWHERE"])))
    assert failed.value.reason == Reason.BRANCH_NOT_FOUND
    with pytest.raises(branchkeeper.BranchkeeperError) as failed:
        list(client.watch_run("00000000-0000-7000-8000-000000000000"))
    assert failed.value.reason == Reason.RUN_NOT_FOUND


def test_violations_are_listed(client):
    with pytest.raises(branchkeeper.BranchkeeperError) as failed:
        client.branches.CreateBranch(v1.CreateBranchRequest(branch=v1.Branch(code="no blanks")))
    assert failed.value.reason == Reason.INVALID_REQUEST
    assert "branch.code" in [violation.field for violation in failed.value.violations]


def test_a_deadline_passes(service, client):
    service.register(client, "BR001")
    with pytest.raises(branchkeeper.BranchkeeperError) as failed:
        # The branches are worked on for much longer than that.
        client.apply("BR001", timeout=0.002)
    assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_read_is_tried_again_until_the_service_is_back(service, client):
    service.register(client, "BR001")
    service.stop()
    begun = time.monotonic()
    with pytest.raises(branchkeeper.BranchkeeperError) as failed:
        client.migrations.Pending(v1.PendingRequest(branch="BR001"))
    assert failed.value.code == grpc.StatusCode.UNAVAILABLE and time.monotonic() - begun < 10
    service.start()
    client.wait_ready()
    assert client.migrations.Pending(v1.PendingRequest(branch="BR001")).count == 2


def test_a_service_that_starts_late_is_waited_for():
    service = Service()
    starter = threading.Timer(0.5, service.start)
    starter.start()
    with branchkeeper.connect(service.target) as client:
        client.wait_ready(timeout=30)
        client.wait_ready("branchkeeper.v1.BranchService")
        client.wait_ready("")
    service.stop()
    service.folder.cleanup()


def test_a_service_that_never_comes_is_not_waited_for_for_ever():
    with branchkeeper.connect(f"127.0.0.1:{free_port()}") as client:
        with pytest.raises(branchkeeper.BranchkeeperError) as failed:
            client.wait_ready(timeout=0.5)
    assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED and "UNAVAILABLE" in failed.value.message


def test_the_example_shows_progress_and_tells_the_outcome(service, client):
    service.register(client, "BR001", "BR002")
    command = [sys.executable, str(Path(__file__).parents[1] / "examples/deploy.py"), service.target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "2 succeeded, 0 failed"), done
    assert "2/2" in done.stderr


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, Reason.UNAUTHENTICATED),
        ({"token": "garbage"}, Reason.UNAUTHENTICATED),
        ({"token_file": TOKENS / "expired-token"}, Reason.UNAUTHENTICATED),
        ({"token_file": TOKENS / "token"}, Reason.BRANCH_NOT_FOUND),
    ],
)
def test_a_token_is_needed_where_the_service_asks_for_one(given, reason):
    service = Service().start(**AUTHENTICATED)
    with branchkeeper.connect(service.target, **given) as client:
        client.wait_ready()
        with pytest.raises(branchkeeper.BranchkeeperError) as failed:
            client.apply("NOWHERE")
        assert failed.value.reason == reason
        with pytest.raises(branchkeeper.BranchkeeperError) as failed:
            list(client.apply_all(v1.ApplyAllRequest(branches=["NOWHERE"])))
        assert failed.value.reason == reason
    service.stop()
    service.folder.cleanup()
