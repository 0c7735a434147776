using System;

namespace Branchkeeper.Client;

/// <summary>Points in time as gRPC wants them.</summary>
internal static class Deadlines
{
    /// <summary>When a span from now is over; never, which gRPC calls so too, when it is longer than time can tell.</summary>
    internal static DateTime After(TimeSpan limit)
    {
        var now = DateTime.UtcNow;
        return limit < DateTime.MaxValue - now ? now + limit : DateTime.MaxValue;
    }
}
