using System;
using System.Collections.Generic;
using System.Linq;
using Google.Rpc;
using Grpc.Core;

namespace Branchkeeper.Client;

/// <summary>One field of a request that cannot be accepted.</summary>
/// <param name="Field">Its name; empty when the violation is of no single field.</param>
/// <param name="Description">What is wrong with it.</param>
public sealed record Violation(string Field, string Description);

/// <summary>A call that failed. What came of a migration is not an exception but a result whose Success is false.</summary>
public sealed class BranchkeeperException : Exception
{
    private const string Domain = "branchkeeper";

    private BranchkeeperException(RpcException cause)
        : base(cause.Status.Detail, cause)
    {
        Code = cause.StatusCode;
        var status = cause.GetRpcStatus();
        var info = status?.GetDetail<ErrorInfo>();
        if (info?.Domain == Domain)
        {
            Reason = info.Reason;
            Metadata = new Dictionary<string, string>(info.Metadata);
        }
        Branch = Metadata.GetValueOrDefault("branch", "");
        var resource = status?.GetDetail<ResourceInfo>();
        if (Branch.Length == 0 && resource?.ResourceType == "branch")
        {
            Branch = resource.ResourceName;
        }
        RetryDelay = status?.GetDetail<RetryInfo>()?.RetryDelay?.ToTimeSpan();
        var request = status?.GetDetail<BadRequest>();
        if (request != null)
        {
            Violations = request.FieldViolations.Select(each => new Violation(each.Field, each.Description)).ToList();
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

    /// <summary>When to try again; null when the service does not say.</summary>
    public TimeSpan? RetryDelay { get; }

    /// <summary>What programs can read besides, by name.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

    /// <summary>The fields of the request that cannot be accepted.</summary>
    public IReadOnlyList<Violation> Violations { get; } = Array.Empty<Violation>();

    /// <summary>Reads the details that the service put into its status.</summary>
    public static BranchkeeperException From(RpcException failed) => new(failed);

    internal static BranchkeeperException Of(StatusCode code, string message) =>
        new(new RpcException(new Grpc.Core.Status(code, message)));
}
