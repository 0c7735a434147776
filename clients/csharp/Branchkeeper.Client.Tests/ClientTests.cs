using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Branchkeeper.Example;
using Branchkeeper.V1;
using Grpc.Core;
using Xunit;

namespace Branchkeeper.Client.Tests;

/// <summary>The client against the real service.</summary>
public sealed class ClientTests : IAsyncLifetime, IDisposable
{
    private const int Limit = 180_000;
    private readonly Service _service = new Service().Start();
    private readonly BranchkeeperClient _client;

    public ClientTests() => _client = BranchkeeperClient.Connect(_service.Target);

    public Task InitializeAsync() => _client.WaitReadyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    public void Dispose()
    {
        _client.Dispose();
        _service.Dispose();
    }

    /// <summary>Reads a stream to its end, and sees to it that the events are complete and without repetition.</summary>
    private static async Task<List<RunEvent>> AllAsync(IAsyncEnumerable<RunEvent> stream)
    {
        var events = new List<RunEvent>();
        await foreach (var happened in stream)
        {
            events.Add(happened);
            Assert.Equal(events.Count, happened.Sequence);
        }
        return events;
    }

    private static MigrationResult Result(List<RunEvent> events)
    {
        Assert.Equal(RunEvent.EventOneofCase.RunFinished, events[^1].EventCase);
        return events[^1].RunFinished.Result;
    }

    private static ApplyAllRequest Nowhere() => new() { Branches = { "NOWHERE" } };

    private async Task<int> RunsAsync() => (await _client.Migrations.ListRunsAsync(new ListRunsRequest())).Runs.Count;

    [Fact(Timeout = Limit)]
    public async Task ABranchIsRegisteredAndMigrated()
    {
        await Service.RegisterAsync(_client, "BR001");
        var answer = await _client.ApplyAsync(new ApplyRequest { Branch = "BR001" });
        Assert.True(answer.Result.Success);
        Assert.Equal(2, answer.Result.AppliedMigrations.Count);
        var run = await _client.Migrations.GetRunAsync(new GetRunRequest { RunId = answer.RunId });
        Assert.Equal(36, run.Run.RequestId.Length);
    }

    [Fact(Timeout = Limit)]
    public async Task AllBranchesAreMigrated()
    {
        await Service.RegisterAsync(_client, Service.Fifty);
        var events = await AllAsync(_client.ApplyAllAsync(new ApplyAllRequest()));
        Assert.Equal(50, (int)Result(events).BranchesSucceeded);
        // What was recorded can be watched again, from anywhere, and its end is known without an event too.
        var end = events.Count;
        var watch = new WatchRunRequest { RunId = events[0].RunId, AfterSequence = end - 3 };
        var seen = new List<long>();
        await foreach (var happened in _client.WatchRunAsync(watch))
        {
            seen.Add(happened.Sequence);
        }
        Assert.Equal(new long[] { end - 2, end - 1, end }, seen);
        watch.AfterSequence = end;
        Assert.Empty(await AllAsync(_client.WatchRunAsync(watch)));
    }

    [Fact(Timeout = Limit)]
    public async Task EveryLoopOverAStreamSeesTheSameRun()
    {
        await Service.RegisterAsync(_client, "BR001");
        var stream = _client.ApplyAllAsync(new ApplyAllRequest());
        Assert.Equal(await AllAsync(stream), await AllAsync(stream));
        Assert.Equal(1, await RunsAsync());
    }

    [Fact(Timeout = Limit)]
    public async Task ACutStreamGoesOnWithoutLossOrRepetition()
    {
        await Service.RegisterAsync(_client, Service.Fifty);
        // .NET gives out whole frames only: a run that is not in a hurry makes small ones, so that each connection gets on.
        using var proxy = new CuttingProxy(_service.Port, 9000, 5);
        using var through = BranchkeeperClient.Connect(proxy.Target);
        var events = new List<RunEvent>();
        var placesOfCuts = new HashSet<int>();
        var request = new ApplyAllRequest { IncludeStatements = true, MaxParallel = 1 };
        await foreach (var happened in through.ApplyAllAsync(request))
        {
            events.Add(happened);
            Assert.Equal(events.Count, happened.Sequence);
            placesOfCuts.Add(proxy.Cuts);
        }
        Assert.Equal(50, (int)Result(events).BranchesSucceeded);
        Assert.Equal(5, proxy.Cuts);
        Assert.True(placesOfCuts.Count >= 3);
        Assert.Equal(1, await RunsAsync());
    }

    [Fact(Timeout = Limit)]
    public async Task ALostFirstAnswerBeginsNoSecondRun()
    {
        await Service.RegisterAsync(_client, "BR001");
        // Enough for the connection to begin, not enough for an event: the request arrives, its answer does not.
        using var proxy = new CuttingProxy(_service.Port, 60, 3);
        using var through = BranchkeeperClient.Connect(proxy.Target);
        Assert.True(Result(await AllAsync(through.ApplyAllAsync(new ApplyAllRequest()))).Success);
        Assert.Equal(3, proxy.Cuts);
        Assert.Equal(1, await RunsAsync());
    }

    [Fact(Timeout = Limit)]
    public async Task ANamedCallIsRepeatedAndDoneOnce()
    {
        await Service.RegisterAsync(_client, "BR001");
        using var proxy = new CuttingProxy(_service.Port, 60, 3);
        using var through = BranchkeeperClient.Connect(proxy.Target);
        var answer = await through.ApplyAsync(new ApplyRequest { Branch = "BR001" });
        Assert.Equal(2, answer.Result.AppliedMigrations.Count);
        Assert.Equal(3, proxy.Cuts);
        Assert.Equal(1, await RunsAsync());
    }

    [Fact(Timeout = Limit)]
    public async Task AWriteIsNotRepeatedAndAReadNotForEver()
    {
        using var proxy = new CuttingProxy(_service.Port, 60, 1000);
        using var through = BranchkeeperClient.Connect(proxy.Target);
        var create = new CreateBranchRequest { Branch = new Branch { Code = "BR001", Provider = Provider.Sqlite } };
        var error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => through.CallAsync(Kind.Write, call => through.Branches.CreateBranchAsync(create, call).ResponseAsync));
        Assert.Equal(StatusCode.Unavailable, error.Code);
        Assert.Equal("", error.Reason);
        Assert.Equal(1, proxy.Cuts);
        var list = new ListBranchesRequest();
        error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => through.CallAsync(Kind.Read, call => through.Branches.ListBranchesAsync(list, call).ResponseAsync));
        Assert.Equal(StatusCode.Unavailable, error.Code);
    }

    [Fact(Timeout = Limit)]
    public async Task ARestartOfTheServiceEndsNoStream()
    {
        await Service.RegisterAsync(_client, Service.Fifty);
        var events = new List<RunEvent>();
        await foreach (var happened in _client.ApplyAllAsync(new ApplyAllRequest { MaxParallel = 1 }))
        {
            events.Add(happened);
            Assert.Equal(events.Count, happened.Sequence);
            if (events.Count == 10)
            {
                _service.Stop();
                _service.Start();
            }
        }
        Assert.Equal(50, (int)Result(events).BranchesSucceeded);
    }

    [Fact(Timeout = Limit)]
    public async Task AFailingBranchIsData()
    {
        await Service.RegisterAsync(_client, "BR001", "BR002");
        _service.Spoil("BR002");
        var outcome = Result(await AllAsync(_client.ApplyAllAsync(new ApplyAllRequest())));
        Assert.False(outcome.Success);
        Assert.Equal(1, (int)outcome.BranchesSucceeded);
        Assert.Equal("BR002", outcome.Errors[0].BranchCode);
    }

    [Fact(Timeout = Limit)]
    public async Task AnUnknownBranchIsATypedException()
    {
        var error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => _client.ApplyAsync(new ApplyRequest { Branch = "NOWHERE" }));
        Assert.Equal(StatusCode.NotFound, error.Code);
        Assert.Equal(Reason.BranchNotFound, error.Reason);
        Assert.Equal("NOWHERE", error.Branch);
        Assert.NotEqual("", error.Hint);
        Assert.NotEqual("", error.Message);
        error = await Assert.ThrowsAsync<BranchkeeperException>(() => AllAsync(_client.ApplyAllAsync(Nowhere())));
        Assert.Equal(Reason.BranchNotFound, error.Reason);
        var watch = new WatchRunRequest { RunId = "00000000-0000-7000-8000-000000000000" };
        error = await Assert.ThrowsAsync<BranchkeeperException>(() => AllAsync(_client.WatchRunAsync(watch)));
        Assert.Equal(Reason.RunNotFound, error.Reason);
        var create = new CreateBranchRequest { Branch = new Branch { Code = "no blanks" } };
        error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => _client.CallAsync(Kind.Write, call => _client.Branches.CreateBranchAsync(create, call).ResponseAsync));
        Assert.Contains("branch.code", error.Violations.Select(each => each.Field));
    }

    [Fact(Timeout = Limit)]
    public async Task ADeadlinePasses()
    {
        await Service.RegisterAsync(_client, "BR001");
        var error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => _client.ApplyAsync(new ApplyRequest { Branch = "BR001" }, TimeSpan.FromMilliseconds(2)));
        Assert.Equal(StatusCode.DeadlineExceeded, error.Code);
    }

    [Fact(Timeout = Limit)]
    public async Task ACancelledLoopEnds()
    {
        await Service.RegisterAsync(_client, Service.Fifty);
        using var stop = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            var stream = _client.ApplyAllAsync(new ApplyAllRequest { MaxParallel = 1 });
            await foreach (var happened in stream.WithCancellation(stop.Token))
            {
                seen++;
                stop.Cancel();
            }
        });
        Assert.True(seen > 0);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _client.ApplyAsync(new ApplyRequest { Branch = "BR001" }, null, stop.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _client.WaitReadyAsync(cancellation: stop.Token));
    }

    [Fact(Timeout = Limit)]
    public async Task AServiceThatStartsLateIsWaitedFor()
    {
        using var late = new Service();
        using var waiting = BranchkeeperClient.Connect(late.Target);
        var error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => waiting.WaitReadyAsync(limit: TimeSpan.FromMilliseconds(400)));
        Assert.Equal(StatusCode.DeadlineExceeded, error.Code);
        Assert.Contains("Unavailable", error.Message);
        late.Start();
        await waiting.WaitReadyAsync();
        await waiting.WaitReadyAsync("", TimeSpan.FromSeconds(10));
        error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => waiting.WaitReadyAsync("no.such.Service", TimeSpan.FromMilliseconds(400)));
        Assert.Contains("no.such.Service", error.Message);
    }

    [Fact(Timeout = Limit)]
    public async Task ATokenIsNeededWhereTheServiceAsksForOne()
    {
        var variables = new Dictionary<string, string>
        {
            ["BRANCHKEEPER__AUTH__JWT__SECRET_REF"] = "env:CLIENT_TEST_SECRET",
            ["CLIENT_TEST_SECRET"] = "for tests only: nobody is let in by this",
        };
        var cases = new[]
        {
            (new Options(), Reason.Unauthenticated),
            (new Options { Token = "garbage" }, Reason.Unauthenticated),
            (new Options { TokenFile = Repository.TestData("expired-token") }, Reason.Unauthenticated),
            (new Options { TokenFile = Repository.TestData("token") }, Reason.BranchNotFound),
        };
        using var guarded = new Service().Start(variables);
        foreach (var (options, reason) in cases)
        {
            using var caller = BranchkeeperClient.Connect(guarded.Target, options);
            await caller.WaitReadyAsync();
            var error = await Assert.ThrowsAsync<BranchkeeperException>(
                () => caller.ApplyAsync(new ApplyRequest { Branch = "NOWHERE" }));
            Assert.Equal(reason, error.Reason);
            error = await Assert.ThrowsAsync<BranchkeeperException>(() => AllAsync(caller.ApplyAllAsync(Nowhere())));
            Assert.Equal(reason, error.Reason);
        }
    }

    [Fact(Timeout = Limit)]
    public async Task AStubsErrorCanBeRead()
    {
        var failed = await Assert.ThrowsAsync<RpcException>(
            () => _client.Migrations.ApplyAsync(new ApplyRequest { Branch = "NOWHERE" }).ResponseAsync);
        Assert.Equal(Reason.BranchNotFound, BranchkeeperException.From(failed).Reason);
        failed = Assert.Throws<RpcException>(() => _client.Migrations.Apply(new ApplyRequest { Branch = "NOWHERE" }));
        Assert.Equal(Reason.BranchNotFound, BranchkeeperException.From(failed).Reason);
    }

    [Fact(Timeout = Limit)]
    public async Task TheExampleShowsProgressAndTellsTheOutcome()
    {
        await Service.RegisterAsync(_client, "BR001", "BR002");
        using var bar = new StringWriter();
        using var outcome = new StringWriter();
        Assert.Equal(0, await Deploy.DeployAsync(_service.Target, bar, outcome));
        Assert.Contains($"[{new string('#', 20)}{new string(' ', 20)}] 1/2", bar.ToString());
        Assert.Contains($"[{new string('#', 40)}] 2/2", bar.ToString());
        Assert.Contains("2 succeeded, 0 failed", outcome.ToString());
        await Service.RegisterAsync(_client, "BR003");
        _service.Spoil("BR003");
        Assert.Equal(1, await Deploy.DeployAsync(_service.Target, bar, outcome));
        Assert.Contains("BR003: ", outcome.ToString());
        Assert.Equal(3, await Deploy.DeployAsync("no address", bar, outcome));
        Assert.Contains("is not an address", bar.ToString());
    }
}
