using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using Branchkeeper.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Xunit;

namespace Branchkeeper.Client.Tests;

/// <summary>The rules of docs/clients.md that need no service.</summary>
public sealed class RulesTests
{
    private static RpcException Failed(StatusCode code, params IMessage[] details)
    {
        var trailers = new Metadata();
        var status = new Google.Rpc.Status { Code = (int)code };
        status.Details.Add(details.Select(Any.Pack));
        trailers.Add("grpc-status-details-bin", status.ToByteArray());
        return new RpcException(new Grpc.Core.Status(code, "what happened"), trailers);
    }

    private static BranchkeeperException Error(StatusCode code, string reason = "", bool delayed = false)
    {
        var details = new List<IMessage>();
        if (reason.Length > 0)
        {
            details.Add(new ErrorInfo { Domain = "branchkeeper", Reason = reason });
        }
        if (delayed)
        {
            details.Add(new RetryInfo { RetryDelay = new Duration { Seconds = 2 } });
        }
        return BranchkeeperException.From(Failed(code, details.ToArray()));
    }

    [Fact]
    public void Targets()
    {
        var cases = new Dictionary<string, string>
        {
            ["keeper"] = "http://keeper:50051/",
            ["keeper:7"] = "http://keeper:7/",
            ["http://keeper:7/"] = "http://keeper:7/",
            ["http://keeper:80"] = "http://keeper/",
            ["https://keeper"] = "https://keeper:50051/",
            ["https://keeper:443"] = "https://keeper/",
            ["[::1]:7"] = "http://[::1]:7/",
        };
        foreach (var (target, address) in cases)
        {
            Assert.Equal(address, Target.Of(target).Address.AbsoluteUri);
            Assert.Equal(target.StartsWith("https", StringComparison.Ordinal), Target.Of(target).Tls);
        }
        var wrong = new[]
        {
            "", "ftp://keeper", "http://u:hunter2@keeper", "http://keeper/x", "http://keeper?x", "keeper:x", "keeper:0",
            "keeper:99999", "keeper:7\n", "kee per", "[::1", "a\\b",
        };
        foreach (var target in wrong)
        {
            var refused = Assert.Throws<ArgumentException>(() => BranchkeeperClient.Connect(target));
            Assert.DoesNotContain("hunter2", refused.ToString());
        }
    }

    [Fact]
    public void ATokenIsNotSentInTheClear()
    {
        foreach (var target in new[] { "localhost", "127.0.0.1:7", "[::1]:7", "https://keeper" })
        {
            BranchkeeperClient.Connect(target, new Options { Token = "hunter2" }).Dispose();
        }
        foreach (var target in new[] { "keeper", "127.0.0.1.example", "[::2]" })
        {
            var refused = Assert.Throws<ArgumentException>(
                () => BranchkeeperClient.Connect(target, new Options { Token = "hunter2" }));
            Assert.DoesNotContain("hunter2", refused.ToString());
        }
        BranchkeeperClient.Connect("keeper", new Options { Token = "secret", AllowInsecureToken = true }).Dispose();
        Assert.DoesNotContain("hunter2", new Options { Token = "hunter2" }.ToString());
    }

    [Fact]
    public void OptionsThatDoNotGoTogetherAreRefused()
    {
        var wrong = new[]
        {
            ("keeper", new Options { CaFile = "ca.pem" }),
            ("https://keeper", new Options { CertFile = "cert.pem" }),
            ("https://keeper", new Options { KeyFile = "key.pem" }),
            ("https://keeper", new Options { Token = "a", TokenFile = "b" }),
            ("https://keeper", new Options { Deadline = TimeSpan.Zero }),
            ("https://keeper", new Options { RunDeadline = TimeSpan.FromSeconds(-1) }),
            ("https://keeper", new Options { Keepalive = TimeSpan.FromSeconds(-1) }),
        };
        foreach (var (target, options) in wrong)
        {
            Assert.Throws<ArgumentException>(() => BranchkeeperClient.Connect(target, options));
        }
        BranchkeeperClient.Connect("keeper", new Options { Keepalive = TimeSpan.Zero }).Dispose();
        BranchkeeperClient.Connect("keeper", new Options { Deadline = TimeSpan.MaxValue }).Dispose();
        using var folder = new Folder();
        var empty = folder.Write("empty.pem", "no certificate");
        Assert.Throws<ArgumentException>(
            () => BranchkeeperClient.Connect("https://keeper", new Options { CaFile = empty }));
        Assert.Throws<FileNotFoundException>(
            () => BranchkeeperClient.Connect("https://keeper", new Options { CaFile = empty + ".not" }));
    }

    [Fact]
    public void ATokenFileIsReadAgainWhenItChanges()
    {
        using var folder = new Folder();
        var file = Path.Combine(folder.Name, "token");
        var token = new Token(new Options { TokenFile = file });
        var failed = Assert.Throws<RpcException>(() => token.Now());
        Assert.Equal(StatusCode.InvalidArgument, failed.StatusCode);
        foreach (var text in new[] { "first\n", "second one\n" })
        {
            folder.Write("token", text);
            Assert.Equal(text.Trim(), token.Now());
        }
    }

    [Fact]
    public void WhatIsTriedAgain()
    {
        var cases = new[]
        {
            (Error(StatusCode.Unavailable), true, false),
            (Error(StatusCode.Aborted, "BRANCH_LOCKED", true), true, false),
            (Error(StatusCode.Aborted), false, false),
            (Error(StatusCode.ResourceExhausted), false, false),
            (Error(StatusCode.ResourceExhausted, "OVERLOADED", true), true, true),
            (Error(StatusCode.ResourceExhausted, "RATE_LIMITED", true), true, true),
            (Error(StatusCode.DeadlineExceeded), false, false),
            (Error(StatusCode.Internal), false, false),
        };
        foreach (var (error, safe, always) in cases)
        {
            Assert.Equal(safe, Retries.Again(error, Kind.Read));
            Assert.Equal(safe, Retries.Again(error, Kind.Named));
            Assert.Equal(always, Retries.Again(error, Kind.Write));
        }
        Assert.True(Retries.Broken(Error(StatusCode.Internal)));
        Assert.False(Retries.Broken(Error(StatusCode.Internal, "INTERNAL")));
        Assert.False(Retries.Broken(Error(StatusCode.NotFound)));
    }

    [Fact]
    public void WaitsGrowAndKeepToWhatWasAsked()
    {
        var plain = Error(StatusCode.Unavailable);
        var asked = Error(StatusCode.Unavailable, "DRAINING", true);
        for (var n = 0; n < 100; n++)
        {
            Assert.InRange(Retries.WaitAfter(1, plain).TotalMilliseconds, 0, 200);
            Assert.InRange(Retries.WaitAfter(50, plain).TotalMilliseconds, 0, 5000);
            Assert.InRange(Retries.WaitAfter(1, asked).TotalMilliseconds, 2000, 2200);
        }
    }

    [Fact]
    public void AStreamDropsWhatItHasSeenAndStopsAtWhatIsFinal()
    {
        using var client = BranchkeeperClient.Connect("localhost");
        var run = new RunEvents(client, null, new WatchRunRequest { RunId = "run", AfterSequence = 3 });
        Assert.False(run.Take(new RunEvent { RunId = "run", Sequence = 3 }));
        Assert.True(run.Take(new RunEvent { RunId = "run", Sequence = 4 }));
        Assert.False(run.Take(new RunEvent { RunId = "run", Sequence = 4 }));
        var network = new[]
        {
            StatusCode.Unavailable, StatusCode.Internal, StatusCode.Unknown, StatusCode.Cancelled, StatusCode.Aborted,
        };
        // A run that is known is followed however often its stream breaks, but not for ever.
        foreach (var code in network.Concat(network))
        {
            run.WaitAfter(Error(code));
        }
        var late = new BranchkeeperException[]
        {
            Error(StatusCode.Internal, "INTERNAL"), Error(StatusCode.NotFound, "RUN_NOT_FOUND"),
            Error(StatusCode.Unauthenticated), BranchkeeperException.From(Failed(
                StatusCode.Unavailable, new RetryInfo { RetryDelay = new Duration { Seconds = 3600 } })),
        };
        foreach (var error in late)
        {
            Assert.Same(error, Assert.Throws<BranchkeeperException>(() => run.WaitAfter(error)));
        }
        // One that is not is begun five times.
        var unknown = new RunEvents(client, new ApplyAllRequest(), new WatchRunRequest());
        for (var n = 1; n < 5; n++)
        {
            unknown.WaitAfter(Error(StatusCode.Unavailable));
        }
        Assert.Throws<BranchkeeperException>(() => unknown.WaitAfter(Error(StatusCode.Unavailable)));
    }

    [Fact]
    public void DetailsAreRead()
    {
        var info = new ErrorInfo { Domain = "branchkeeper", Reason = Reason.BranchLocked };
        info.Metadata.Add("hint", "wait");
        var failed = Failed(
            StatusCode.Aborted,
            new ErrorInfo { Domain = "proxy.example", Reason = "OTHER" },
            info,
            new ResourceInfo { ResourceType = "run", ResourceName = "7" },
            new ResourceInfo { ResourceType = "branch", ResourceName = "BR001" },
            new RetryInfo { RetryDelay = new Duration { Seconds = 2, Nanos = 500_000_000 } },
            new BadRequest { FieldViolations = { new BadRequest.Types.FieldViolation { Field = "a", Description = "b" } } });
        var error = BranchkeeperException.From(failed);
        Assert.Equal(StatusCode.Aborted, error.Code);
        Assert.Equal("what happened", error.Message);
        Assert.Equal("BRANCH_LOCKED", error.Reason);
        Assert.Equal("wait", error.Hint);
        Assert.Equal("BR001", error.Branch);
        Assert.Equal(TimeSpan.FromSeconds(2.5), error.RetryDelay);
        Assert.Equal(new[] { new Violation("a", "b") }, error.Violations);
        Assert.Same(failed, error.InnerException);
        // What the service says of the branch beats the resource.
        info.Metadata.Add("branch", "BR002");
        var both = Failed(StatusCode.Aborted, info, new ResourceInfo { ResourceType = "branch", ResourceName = "BR001" });
        Assert.Equal("BR002", BranchkeeperException.From(both).Branch);
    }

    [Fact]
    public void BrokenDetailsDoNotHideTheError()
    {
        var trailers = new Metadata { { "grpc-status-details-bin", new byte[] { 1, 2, 3 } } };
        var garbage = new RpcException(new Grpc.Core.Status(StatusCode.Aborted, "what happened"), trailers);
        Assert.Equal("what happened", BranchkeeperException.From(garbage).Message);
        var status = new Google.Rpc.Status { Code = (int)StatusCode.Aborted };
        status.Details.Add(new Any { TypeUrl = "type.googleapis.com/google.rpc.ErrorInfo", Value = ByteString.CopyFromUtf8("\u0001") });
        status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = new Duration { Seconds = long.MaxValue, Nanos = -1 } }));
        trailers = new Metadata { { "grpc-status-details-bin", status.ToByteArray() } };
        var error = BranchkeeperException.From(
            new RpcException(new Grpc.Core.Status(StatusCode.Aborted, "what happened"), trailers));
        Assert.Equal(("", "", null), (error.Reason, error.Branch, error.RetryDelay));
        error = BranchkeeperException.From(new RpcException(new Grpc.Core.Status(StatusCode.Internal, "bare")));
        Assert.Equal((StatusCode.Internal, "", ""), (error.Code, error.Reason, error.Hint));
    }

    [Fact]
    public void AConnectionThatBrokeIsUnavailable()
    {
        static StatusCode Read(Exception? why) => BranchkeeperException.From(
            new RpcException(new Grpc.Core.Status(StatusCode.Internal, "", why))).Code;
        Assert.Equal(StatusCode.Unavailable, Read(new IOException("", new System.Net.Sockets.SocketException(104))));
        Assert.Equal(StatusCode.Unavailable, Read(new System.Net.Http.HttpProtocolException(0, "", null)));
        Assert.Equal(StatusCode.Internal, Read(new System.Net.Http.HttpProtocolException(2, "", null)));
        Assert.Equal(StatusCode.Internal, Read(new InvalidOperationException()));
        Assert.Equal(StatusCode.Internal, Read(null));
    }

    [Fact]
    public void EveryMethodHasTheKindOfTheSharedSemantics()
    {
        using var shared = JsonDocument.Parse(File.ReadAllText(Repository.Semantics()));
        HashSet<string> Listed(string kind) => shared.RootElement.GetProperty(kind).EnumerateArray()
            .Select(each => "/branchkeeper.v1." + each.GetString()).ToHashSet();
        Assert.True(Semantics.Read.SetEquals(Listed("read")));
        Assert.True(Semantics.Named.SetEquals(Listed("named")));
        var files = new[]
        {
            MigrationServiceReflection.Descriptor, BranchServiceReflection.Descriptor, AuditServiceReflection.Descriptor,
            AccessServiceReflection.Descriptor, NotificationServiceReflection.Descriptor,
        };
        var methods = files.SelectMany(file => file.Services).SelectMany(service => service.Methods)
            .Select(method => $"/{method.Service.FullName}/{method.Name}").ToHashSet();
        Assert.True(methods.SetEquals(Listed("read").Concat(Listed("named")).Concat(Listed("write"))));
        Assert.Equal(shared.RootElement.GetProperty("version").GetString(), Semantics.Version);
        var deadline = shared.RootElement.GetProperty("defaults").GetProperty("deadline_ms").GetInt32();
        Assert.Equal(deadline, (int)new Options().Deadline.TotalMilliseconds);
    }
}
