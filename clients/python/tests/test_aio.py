"""The client for asyncio against the real service."""

import asyncio

import grpc
import pytest
from support import CuttingProxy, Service, free_port

import branchkeeper
from branchkeeper import Reason, aio, v1

CODES = [f"BR{number:03}" for number in range(1, 51)]


@pytest.fixture
def service():
    with Service() as running:
        with branchkeeper.connect(running.target) as client:
            client.wait_ready()
            running.register(client, *CODES)
        yield running


def sequences(events):
    return [event.sequence for event in events]


def test_all_branches_are_migrated(service):
    async def check():
        async with aio.connect(service.target) as client:
            events = [event async for event in client.apply_all()]
            assert sequences(events) == list(range(1, len(events) + 1))
            assert events[-1].run_finished.result.branches_succeeded == 50
            watched = [event async for event in client.watch_run(events[0].run_id, after_sequence=events[-1].sequence)]
            assert watched == []
            assert (await client.apply("BR001")).result.success
            assert (await client.migrations.Pending(v1.PendingRequest(branch="BR001"))).count == 0

    asyncio.run(check())


def test_a_cut_stream_goes_on_without_loss_or_repetition(service):
    async def check():
        proxy = CuttingProxy(service.port, limit=3000)
        async with aio.connect(proxy.target) as client:
            request = v1.ApplyAllRequest(include_statements=True)
            events = [event async for event in client.apply_all(request)]
        assert sequences(events) == list(range(1, len(events) + 1))
        assert events[-1].run_finished.result.branches_succeeded == 50
        assert proxy.cuts == 5
        async with aio.connect(service.target) as client:
            assert len((await client.migrations.ListRuns(v1.ListRunsRequest())).runs) == 1
        proxy.close()

    asyncio.run(check())


def test_errors_are_typed(service):
    async def check():
        async with aio.connect(service.target) as client:
            with pytest.raises(branchkeeper.BranchkeeperError) as failed:
                await client.apply("NOWHERE")
            assert failed.value.reason == Reason.BRANCH_NOT_FOUND and failed.value.branch == "NOWHERE"
            with pytest.raises(branchkeeper.BranchkeeperError) as failed:
                [event async for event in client.apply_all(v1.ApplyAllRequest(branches=["NOWHERE"]))]
            assert failed.value.reason == Reason.BRANCH_NOT_FOUND
            with pytest.raises(branchkeeper.BranchkeeperError) as failed:
                await client.apply("BR001", timeout=0.002)
            assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED

    asyncio.run(check())


def test_a_task_that_is_cancelled_ends_the_stream(service):
    async def check():
        async with aio.connect(service.target) as client:
            begun = asyncio.Event()

            async def follow():
                async for _ in client.apply_all(v1.ApplyAllRequest(max_parallel=1)):
                    begun.set()

            task = asyncio.create_task(follow())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(check())


def test_a_service_that_never_comes_is_not_waited_for_for_ever():
    async def check():
        async with aio.connect(f"127.0.0.1:{free_port()}") as client:
            with pytest.raises(branchkeeper.BranchkeeperError) as failed:
                await client.wait_ready(timeout=0.5)
            assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED

    asyncio.run(check())


def test_readiness_is_waited_for(service):
    async def check():
        async with aio.connect(service.target) as client:
            await client.wait_ready()

    asyncio.run(check())
