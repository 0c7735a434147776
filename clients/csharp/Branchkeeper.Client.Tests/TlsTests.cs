using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Branchkeeper.V1;
using Grpc.Core;
using Xunit;

namespace Branchkeeper.Client.Tests;

/// <summary>The client against the real service over TLS, where certificates say who calls.</summary>
public sealed class TlsTests : IDisposable
{
    private const int Limit = 180_000;
    private readonly Authority _authority = new();
    private readonly Folder _folder = new();
    private readonly Service _service = new();
    private readonly string _caFile;

    public TlsTests()
    {
        _caFile = _folder.Write("ca.pem", _authority.Pem);
        var (certFile, keyFile) = Certificate(_authority, "service");
        _service.Start(new Dictionary<string, string>
        {
            ["BRANCHKEEPER__TLS__CERT_FILE"] = certFile,
            ["BRANCHKEEPER__TLS__KEY_FILE"] = keyFile,
            ["BRANCHKEEPER__TLS__CLIENT_CA_FILE"] = _caFile,
            ["BRANCHKEEPER__TLS__CLIENT_AUTH"] = "optional",
            ["BRANCHKEEPER__AUTH__CERTIFICATES"] = "cn:deployment = HeadOfficeAdmin",
        });
    }

    public void Dispose()
    {
        _service.Dispose();
        _folder.Dispose();
        _authority.Dispose();
    }

    private (string CertFile, string KeyFile) Certificate(Authority authority, string name)
    {
        var (cert, key) = authority.Issue(name);
        return (_folder.Write($"{name}.pem", cert), _folder.Write($"{name}.key", key));
    }

    private BranchkeeperClient Connect(string? caFile, (string CertFile, string KeyFile)? own = null) =>
        BranchkeeperClient.Connect(
            $"https://127.0.0.1:{_service.Port}",
            new Options { CaFile = caFile, CertFile = own?.CertFile, KeyFile = own?.KeyFile });

    [Fact(Timeout = Limit)]
    public async Task AClientIsKnownByItsCertificate()
    {
        using var known = Connect(_caFile, Certificate(_authority, "deployment"));
        await known.WaitReadyAsync();
        await Service.RegisterAsync(known, "BR001");
        var finished = 0;
        await foreach (var happened in known.ApplyAllAsync(new ApplyAllRequest()))
        {
            finished += happened.RunFinished == null ? 0 : 1;
        }
        Assert.Equal(1, finished);
        using var nobody = Connect(_caFile);
        var error = await Assert.ThrowsAsync<BranchkeeperException>(
            () => nobody.ApplyAsync(new ApplyRequest { Branch = "BR001" }));
        Assert.Equal(Reason.Unauthenticated, error.Reason);
    }

    [Fact(Timeout = Limit)]
    public async Task AnotherAuthoritysServiceIsNotSpokenTo()
    {
        using (var trusting = Connect(_caFile))
        {
            await trusting.WaitReadyAsync();
        }
        using var other = new Authority();
        foreach (var caFile in new[] { _folder.Write("other.pem", other.Pem), null })
        {
            using var wary = Connect(caFile);
            var error = await Assert.ThrowsAsync<BranchkeeperException>(
                () => wary.WaitReadyAsync(limit: TimeSpan.FromMilliseconds(500)));
            Assert.Equal(StatusCode.DeadlineExceeded, error.Code);
            Assert.Contains("Unavailable", error.Message);
        }
    }
}
