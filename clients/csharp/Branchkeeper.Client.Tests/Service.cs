using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;
using Branchkeeper.V1;

namespace Branchkeeper.Client.Tests;

/// <summary>One service with a data folder of its own.</summary>
internal sealed class Service : IDisposable
{
    private readonly Folder _folder = new();
    private Process? _process;

    internal Service()
    {
        using var socket = new TcpListener(IPAddress.Loopback, 0);
        socket.Start();
        Port = ((IPEndPoint)socket.LocalEndpoint).Port;
        _folder.Write("migrations/20260101000000_Create.sql", "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);");
        _folder.Write("migrations/20260102000000_Extend.sql", "ALTER TABLE items ADD COLUMN price INTEGER;");
    }

    internal static string[] Fifty { get; } = Enumerable.Range(1, 50).Select(n => $"BR{n:000}").ToArray();

    internal int Port { get; }

    internal string Target => $"127.0.0.1:{Port}";

    internal Service Start(IReadOnlyDictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo(Repository.Binary())
        {
            WorkingDirectory = _folder.Name,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in new[] { "serve", "--listen", Target, "--data", "data", "--migrations", "migrations" })
        {
            start.ArgumentList.Add(argument);
        }
        start.Environment["BRANCHKEEPER__AUTO_MIGRATE__ENABLED"] = "false";
        foreach (var (name, value) in variables ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }
        _process = Process.Start(start)!;
        // Nobody reads it, but a full pipe would stop the service.
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        return this;
    }

    internal void Stop()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
    }

    internal static async Task RegisterAsync(BranchkeeperClient client, params string[] codes)
    {
        foreach (var code in codes)
        {
            var branch = new Branch { Code = code, Provider = Provider.Sqlite };
            await client.Branches.CreateBranchAsync(new CreateBranchRequest { Branch = branch });
        }
    }

    /// <summary>Puts something where the branch's database belongs that no migration can work on.</summary>
    internal void Spoil(string code) =>
        _folder.Write($"data/branches/{code}/Database/{code}.db", "this is no database, however long one looks at it");

    public void Dispose()
    {
        Stop();
        _folder.Dispose();
    }
}
