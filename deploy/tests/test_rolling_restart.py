"""Services are restarted one after the other behind a balancer, under load, and nobody notices."""

import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import List, Type

import branchkeeper
import pytest
from balancers import Balancer, HaProxy, Nginx
from branchkeeper import v1
from load import Load, Stream
from postgres import Postgres
from replica import TOKEN, Authority, Replica
from support import wait_until

FLEET = 80
CALLERS = 4
# What the library never repeats. HAProxy knows early enough that a service is about to stop, so that not one of these is
# lost either. With nginx one could be: it was handed to a service that closed its port at that moment.
UNCOVERED = {"UpdateBranch"}
# A branch takes two seconds while the services are restarted, however long that takes, and nearly nothing afterwards.
SLOW = "bk-slow"
MIGRATION = f"""
SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '{SLOW}') THEN 2 ELSE 0.02 END);
"""


class Fleet:
    """Branches in schemas of their own, in one database of the test's."""

    def __init__(self, server: Postgres, database: str) -> None:
        self._server = server
        self._database = database

    def register(self, client: branchkeeper.Client, code: str, kind: str) -> None:
        where = v1.ServerConnection(
            host=self._server.host,
            port=self._server.port,
            database=self._database,
            schema=code.lower(),
            username=self._server.user,
            password_ref="env:BRANCH_PASSWORD",
        )
        branch = v1.Branch(code=code, provider=v1.PROVIDER_POSTGRES, labels={"kind": kind})
        branch.connection.server.CopyFrom(where)
        client.branches.CreateBranch(v1.CreateBranchRequest(branch=branch))


@pytest.mark.parametrize("kind", [HaProxy, Nginx], ids=lambda kind: kind.program)
def test_a_rolling_restart_loses_no_call_and_no_event(
    kind: Type[Balancer], server: Postgres, head_office: str, database: str, tmp_path: Path
) -> None:
    if kind.path() is None:
        pytest.skip(f"no {kind.program}: apt-get install {kind.program}")
    authority = Authority(tmp_path)
    variables = {
        "BRANCH_PASSWORD": server.password,
        # Longer than is advised, because the machines that run tests are slow and busy.
        "BRANCHKEEPER__SERVER__DRAIN_DELAY": "10s" if kind is HaProxy else "0s",
        # A run that a stopped service gives up is looked for by the others three times in this time.
        "BRANCHKEEPER__LOCK__LEASE": "6s",
    }
    with ExitStack() as stack:
        replicas = [Replica(f"keeper-{name}.internal", authority, head_office, variables) for name in "ab"]
        for replica in replicas:
            stack.callback(replica.stop)
            replica.migration("20260103000000_Slow.sql", MIGRATION)
            replica.come()
        balancer = kind(tmp_path, authority, replicas)
        stack.callback(balancer.stop)
        balancer.start()
        for replica in replicas:
            balancer.wait_for(replica)
        client = stack.enter_context(branchkeeper.connect(balancer.target, ca_file=authority.file, token=TOKEN))
        client.wait_ready(timeout=30)

        fleet = Fleet(server, database)
        called = [f"CALL{number}" for number in range(CALLERS)]
        for code in called:
            fleet.register(client, code, "called")
            assert client.apply(code).result.success
        for number in range(FLEET):
            fleet.register(client, f"BR{number:03}", "fleet")

        load = Load(balancer.target, authority.file, called)
        stack.callback(load.stop)
        with closing(server.connect(SLOW)):
            load.start()
            stream = Stream(client, v1.ApplyAllRequest(labels={"kind": "fleet"}, max_parallel=2))
            for replica in replicas:
                seen, before = len(stream.finished()), load.counts()
                wait_until(lambda: len(stream.finished()) >= seen + 3, 60)
                restart(balancer, replica)
                assert not stream.is_over(), "the run was over too early to show anything"
                # The load went on meanwhile, and the service that came back is given its part.
                after, given = load.counts(), balancer.calls(replica)
                assert all(after[name] > before[name] for name in after), (before, after)
                wait_until(lambda: balancer.calls(replica) >= given + 20, 60)
        stream.wait(60)
        load.stop()
        print(f"\n{kind.program}: {load.report()}; {len(stream.events)} events")

        check_events(stream.events)
        lost = {name: errors for name, errors in load.failed.items() if name not in UNCOVERED or kind is HaProxy}
        assert not lost, lost
        assert min(load.done.values()) > 20, load.report()
        if isinstance(balancer, Nginx):
            # The library would have repeated most of them; it did not have to.
            assert balancer.handed_over() > 0, "nginx has tried no other server"
            assert len(load.failed.get("UpdateBranch", [])) <= 2 * len(replicas), load.failed


def restart(balancer: Balancer, replica: Replica) -> None:
    leaving = threading.Thread(target=replica.leave)
    leaving.start()
    if isinstance(balancer, HaProxy):
        # It is taken out while it still answers: before its process ends.
        wait_until(lambda: balancer.is_out(replica), 30)
        assert leaving.is_alive(), "the balancer saw too late that the service was about to stop"
    leaving.join(90)
    assert not leaving.is_alive(), "the service does not stop"
    replica.come()
    balancer.wait_for(replica)


def check_events(events: List[v1.RunEvent]) -> None:
    """Every event once, in order, to the end, and every branch migrated."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len({event.run_id for event in events}) == 1
    assert [event.WhichOneof("event") for event in events].index("run_finished") == len(events) - 1
    result = events[-1].run_finished.result
    assert result.success and result.branches_succeeded == FLEET, result
    finished = [event.branch_finished.branch_code for event in events if event.HasField("branch_finished")]
    assert sorted(finished) == [f"BR{number:03}" for number in range(FLEET)]
