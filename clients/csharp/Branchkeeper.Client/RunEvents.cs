using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Branchkeeper.V1;
using Grpc.Core;

namespace Branchkeeper.Client;

/// <summary>Follows one run over broken connections: each event once and in order.</summary>
internal sealed class RunEvents
{
    private readonly BranchkeeperClient _client;
    private readonly ApplyAllRequest? _begin;
    private readonly WatchRunRequest _watch;
    private int _failures;
    private long _failingSince;

    internal RunEvents(BranchkeeperClient client, ApplyAllRequest? begin, WatchRunRequest watch)
    {
        _client = client;
        _begin = begin;
        _watch = watch.Clone();
    }

    private bool IsKnown => _begin == null || _watch.RunId.Length > 0;

    /// <summary>The run's events, from the beginning with every loop over them.</summary>
    /// <param name="client">Whose connection to use.</param>
    /// <param name="begin">What begins the run; null when there is one already.</param>
    /// <param name="watch">What to watch; its run comes with the first event where there is none yet.</param>
    /// <param name="cancellation">Ends the loop; the run goes on.</param>
    internal static async IAsyncEnumerable<RunEvent> Follow(
        BranchkeeperClient client,
        ApplyAllRequest? begin,
        WatchRunRequest watch,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        var run = new RunEvents(client, begin, watch);
        while (true)
        {
            BranchkeeperException? error = null;
            var connection = run.Open(cancellation);
            await using (connection.ConfigureAwait(false))
            {
                while (true)
                {
                    // Nothing can be given out of a try that has a catch.
                    try
                    {
                        if (!await connection.MoveNextAsync().ConfigureAwait(false))
                        {
                            break;
                        }
                    }
                    catch (RpcException failed)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        error = BranchkeeperException.From(failed);
                        break;
                    }
                    var happened = connection.Current;
                    if (!run.Take(happened))
                    {
                        continue;
                    }
                    yield return happened;
                    if (happened.EventCase == RunEvent.EventOneofCase.RunFinished)
                    {
                        yield break;
                    }
                }
            }
            if (error == null)
            {
                try
                {
                    if (run.IsKnown && await run.IsOver(cancellation).ConfigureAwait(false))
                    {
                        yield break;
                    }
                    error = BranchkeeperException.Of(StatusCode.Unavailable, "the stream ended before the run");
                }
                catch (BranchkeeperException failed)
                {
                    error = failed;
                }
            }
            await Task.Delay(run.WaitAfter(error), cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>The events of one connection. Disposing it ends the call.</summary>
    private async IAsyncEnumerator<RunEvent> Open(CancellationToken cancellation)
    {
        if (!IsKnown)
        {
            using var begun = _client.Migrations.ApplyAll(_begin, cancellationToken: cancellation);
            while (await begun.ResponseStream.MoveNext(cancellation).ConfigureAwait(false))
            {
                yield return begun.ResponseStream.Current.Event;
            }
            yield break;
        }
        using var watched = _client.Migrations.WatchRun(_watch, cancellationToken: cancellation);
        while (await watched.ResponseStream.MoveNext(cancellation).ConfigureAwait(false))
        {
            yield return watched.ResponseStream.Current.Event;
        }
    }

    /// <summary>Whether an event is new. Remembers where to go on.</summary>
    internal bool Take(RunEvent happened)
    {
        _watch.RunId = happened.RunId;
        if (happened.Sequence <= _watch.AfterSequence)
        {
            return false;
        }
        _watch.AfterSequence = happened.Sequence;
        _failures = 0;
        return true;
    }

    /// <summary>Whether the run has ended and has no event that was not seen.</summary>
    private async Task<bool> IsOver(CancellationToken cancellation)
    {
        var which = new GetRunRequest { RunId = _watch.RunId };
        var answer = await _client.CallAsync(
            Kind.Read, call => _client.Migrations.GetRunAsync(which, call).ResponseAsync, null, cancellation)
            .ConfigureAwait(false);
        return answer.Run.EndTime != null && answer.Run.LastSequence <= _watch.AfterSequence;
    }

    /// <summary>How long to wait before the stream is opened again.</summary>
    /// <exception cref="BranchkeeperException">It is not to be opened again.</exception>
    internal TimeSpan WaitAfter(BranchkeeperException error)
    {
        if (_failures++ == 0)
        {
            _failingSince = Stopwatch.GetTimestamp();
        }
        var wait = Retries.WaitAfter(_failures, error);
        var late = Stopwatch.GetElapsedTime(_failingSince) + wait > Semantics.ReattachFor;
        if (late || (!IsKnown && _failures >= Semantics.MaxAttempts) || !Retries.Broken(error))
        {
            throw error;
        }
        return wait;
    }
}
