using System;
using Grpc.Core;

namespace Branchkeeper.Client;

/// <summary>What is tried again, and when. The rules are those of docs/clients.md.</summary>
internal static class Retries
{
    /// <summary>Whether the status says that trying again is safe and may help.</summary>
    internal static bool Again(BranchkeeperException error, Kind kind)
    {
        if (error.Code == StatusCode.ResourceExhausted && error.Reason is Reason.Overloaded or Reason.RateLimited)
        {
            return true;
        }
        var mayAsk = error.Code is StatusCode.ResourceExhausted or StatusCode.Aborted;
        var asked = mayAsk && error.RetryDelay != null;
        return kind != Kind.Write && (error.Code == StatusCode.Unavailable || asked);
    }

    /// <summary>Whether a stream that ended like this is to be opened again.</summary>
    internal static bool Broken(BranchkeeperException error)
    {
        var network = error.Code is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown
            or StatusCode.Cancelled or StatusCode.Aborted;
        return (error.Reason.Length == 0 && network) || Again(error, Kind.Read);
    }

    /// <summary>The wait after so many failures in a row.</summary>
    internal static TimeSpan WaitAfter(int failures, BranchkeeperException error)
    {
        var longest = Math.Min(
            Semantics.BackoffMax.TotalMilliseconds,
            Semantics.BackoffInitial.TotalMilliseconds * Math.Pow(2, failures - 1));
        var jitter = TimeSpan.FromMilliseconds(Random.Shared.NextDouble() * longest);
        return (error.RetryDelay ?? TimeSpan.Zero) + jitter;
    }
}
