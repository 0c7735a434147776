using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Net.Sockets;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace Branchkeeper.Client;

/// <summary>A call that failed. What came of a migration is not an exception but a result whose Success is false.</summary>
public sealed class BranchkeeperException : Exception
{
    private const string Domain = "branchkeeper";

    private BranchkeeperException(RpcException cause)
        : base(cause.Status.Detail, cause)
    {
        IEnumerable<Any>? found = cause.Trailers.GetRpcStatus(ignoreParseError: true)?.Details;
        var details = found?.ToList() ?? new List<Any>();
        Code = details.Count == 0 && HasBroken(cause.Status) ? StatusCode.Unavailable : cause.StatusCode;
        if (Read<ErrorInfo>(details, each => each.Domain == Domain) is { } info)
        {
            Reason = info.Reason;
            Metadata = new ReadOnlyDictionary<string, string>(new Dictionary<string, string>(info.Metadata));
        }
        var resource = Read<ResourceInfo>(details, each => each.ResourceType == "branch");
        Branch = Metadata.GetValueOrDefault("branch", resource?.ResourceName ?? "");
        RetryDelay = Span(Read<RetryInfo>(details, _ => true)?.RetryDelay);
        if (Read<BadRequest>(details, _ => true) is { } request)
        {
            Violations = request.FieldViolations.Select(each => new Violation(each.Field, each.Description)).ToArray();
        }
    }

    /// <summary>The gRPC status.</summary>
    public StatusCode Code { get; }

    /// <summary>One of <see cref="Client.Reason"/>; empty when the failure is from the network or the library.</summary>
    public string Reason { get; } = "";

    /// <summary>What to do; may be empty.</summary>
    public string Hint => Metadata.GetValueOrDefault("hint", "");

    /// <summary>The branch that it is about; may be empty.</summary>
    public string Branch { get; }

    /// <summary>How long to wait before trying again; null when the service does not say.</summary>
    public TimeSpan? RetryDelay { get; }

    /// <summary>What programs can read besides, by name.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The fields of the request that cannot be accepted.</summary>
    public IReadOnlyList<Violation> Violations { get; } = Array.Empty<Violation>();

    /// <summary>Reads the details that the service put into its status.</summary>
    public static BranchkeeperException From(RpcException failed)
    {
        ArgumentNullException.ThrowIfNull(failed);
        return new BranchkeeperException(failed);
    }

    internal static BranchkeeperException Of(StatusCode code, string message) =>
        new(new RpcException(new Grpc.Core.Status(code, message)));

    /// <summary>The first detail of a type that is as asked. Broken ones are no reason to lose the error itself.</summary>
    private static T? Read<T>(List<Any> details, Func<T, bool> wanted)
        where T : class, IMessage<T>, new()
    {
        foreach (var detail in details)
        {
            try
            {
                if (detail.TryUnpack(out T found) && wanted(found))
                {
                    return found;
                }
            }
            catch (InvalidProtocolBufferException)
            {
                continue;
            }
        }
        return null;
    }

    private static TimeSpan? Span(Duration? delay)
    {
        try
        {
            return delay?.ToTimeSpan() is { } span && span >= TimeSpan.Zero ? span : null;
        }
        catch (InvalidOperationException)
        {
            // It is no length of time.
            return null;
        }
    }

    /// <summary>
    /// Whether the connection broke, or could not be made. Then other languages' gRPC says UNAVAILABLE, where this one
    /// sometimes says INTERNAL.
    /// </summary>
    private static bool HasBroken(Grpc.Core.Status status)
    {
        if (status.StatusCode != StatusCode.Internal)
        {
            return false;
        }
        for (var error = status.DebugException; error != null; error = error.InnerException)
        {
            switch (error)
            {
                // Number 0 is the polite goodbye of a server that stops; others are a fault of one call.
                case HttpProtocolException protocol:
                    return protocol.ErrorCode == 0;
                case HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }:
                case IOException or SocketException:
                    return true;
                default:
                    break;
            }
        }
        return false;
    }
}
