"""The rules of docs/clients.md that need no service."""

import grpc
import pytest

import branchkeeper
from branchkeeper import v1
from branchkeeper._errors import BranchkeeperError
from branchkeeper._options import check
from branchkeeper._retry import Attempts, Following, again, repeatable, wait_after

Code = grpc.StatusCode


def checked(target, **given):
    names = ("ca_file", "cert_file", "key_file", "token", "token_file")
    defaults = dict.fromkeys(names), {"allow_insecure_token": False, "deadline": 1, "run_deadline": 1, "keepalive": 0}
    return check(target, **{**defaults[0], **defaults[1], **given})


@pytest.mark.parametrize(
    ("target", "address", "tls"),
    [
        ("keeper", "keeper:50051", False),
        ("keeper:7", "keeper:7", False),
        ("http://keeper:7/", "keeper:7", False),
        ("https://keeper", "keeper:50051", True),
        ("[::1]:7", "[::1]:7", False),
    ],
)
def test_targets(target, address, tls):
    options, _ = checked(target)
    assert (options.address, options.tls) == (address, tls)


@pytest.mark.parametrize("target", ["", "ftp://keeper", "http://u:hunter2@keeper", "http://keeper/x", "keeper:x"])
def test_wrong_targets_are_refused_and_not_repeated(target):
    with pytest.raises(ValueError) as refused:
        checked(target)
    assert "hunter2" not in str(refused.value)


def test_a_token_is_not_sent_in_the_clear():
    for target in ("localhost", "127.0.0.1:7", "[::1]:7", "https://keeper"):
        checked(target, token="secret")
    with pytest.raises(ValueError):
        checked("http://keeper", token="secret")
    checked("http://keeper", token="secret", allow_insecure_token=True)


def test_a_token_file_is_read_again_when_it_changes(tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    _, token = checked("localhost", token_file=file)
    assert token.metadata() == [("authorization", "Bearer first")]
    file.write_text("second one\n")
    assert token.metadata() == [("authorization", "Bearer second one")]


def test_what_is_tried_again():
    def error(code, **details):
        return BranchkeeperError(code, "", **details)

    read, write = True, False
    assert again(error(Code.UNAVAILABLE), read) and not again(error(Code.UNAVAILABLE), write)
    assert again(error(Code.ABORTED, retry_delay=1), read) and not again(error(Code.ABORTED), read)
    assert again(error(Code.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_delay=1), write)
    assert again(error(Code.RESOURCE_EXHAUSTED, reason="RATE_LIMITED", retry_delay=1), write)
    assert not again(error(Code.RESOURCE_EXHAUSTED), read)
    assert not again(error(Code.DEADLINE_EXCEEDED), read) and not again(error(Code.INTERNAL), read)


def test_what_may_be_repeated():
    apply = "/branchkeeper.v1.MigrationService/Apply"
    assert repeatable(apply, v1.ApplyRequest(request_id="a")) and not repeatable(apply, v1.ApplyRequest())
    assert repeatable("/branchkeeper.v1.MigrationService/Status", v1.StatusRequest())
    assert not repeatable("/branchkeeper.v1.BranchService/CreateBranch", v1.CreateBranchRequest())


def test_waits_grow_keep_to_what_was_asked_and_end():
    assert all(wait_after(1, None) <= 0.2 and wait_after(50, None) <= 5.0 for _ in range(100))
    asked = BranchkeeperError(Code.UNAVAILABLE, "", retry_delay=2.0)
    assert 2.0 <= wait_after(1, asked) <= 2.2
    attempts = Attempts(True, 60)
    plain = BranchkeeperError(Code.UNAVAILABLE, "")
    for _ in range(4):
        attempts.wait(plain)
    with pytest.raises(BranchkeeperError):
        attempts.wait(plain)
    # Nobody waits beyond the deadline.
    with pytest.raises(BranchkeeperError):
        Attempts(True, 1).wait(asked)


def test_a_stream_drops_what_it_has_seen_and_stops_at_what_is_final():
    following = Following(None, "run", 3, None)
    assert not following.take(v1.RunEvent(run_id="run", sequence=3))
    assert following.take(v1.RunEvent(run_id="run", sequence=4)) and following.last == 4
    for code in (Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED, Code.ABORTED):
        following.wait(BranchkeeperError(code, ""))
    for final in (
        BranchkeeperError(Code.INTERNAL, "", reason="INTERNAL"),
        BranchkeeperError(Code.NOT_FOUND, "", reason="RUN_NOT_FOUND"),
        BranchkeeperError(Code.UNAUTHENTICATED, ""),
    ):
        with pytest.raises(branchkeeper.BranchkeeperError):
            following.wait(final)
