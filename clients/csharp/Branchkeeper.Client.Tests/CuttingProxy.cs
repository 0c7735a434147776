using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;

namespace Branchkeeper.Client.Tests;

/// <summary>Passes bytes on, and cuts the first connections after a number of the service's bytes.</summary>
internal sealed class CuttingProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _port;
    private readonly int _limit;
    private readonly int _most;
    private int _cuts;

    internal CuttingProxy(int port, int limit, int most)
    {
        _port = port;
        _limit = limit;
        _most = most;
        _listener.Start();
        Target = $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _ = Ended(AcceptAsync);
    }

    internal string Target { get; }

    internal int Cuts
    {
        get
        {
            lock (_listener)
            {
                return _cuts;
            }
        }
    }

    private static async Task Ended(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception ended) when (ended is IOException or SocketException or ObjectDisposedException)
        {
            // The connection is over, which is all that it means.
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptSocketAsync();
            _ = Ended(() => JoinAsync(client));
        }
    }

    private async Task JoinAsync(Socket client)
    {
        using var near = client;
        using var far = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await far.ConnectAsync(IPAddress.Loopback, _port);
        await Task.WhenAll(Ended(() => PassAsync(near, far, false)), Ended(() => PassAsync(far, near, true)));
    }

    private async Task PassAsync(Socket from, Socket to, bool cutting)
    {
        var buffer = new byte[512];
        var passed = 0;
        for (int n; (n = await from.ReceiveAsync(buffer, SocketFlags.None)) > 0; passed += n)
        {
            var isCut = cutting && passed + n > _limit && IsToCut();
            await to.SendAsync(buffer.AsMemory(0, isCut ? Math.Max(0, _limit - passed) : n), SocketFlags.None);
            if (isCut)
            {
                break;
            }
        }
        // Says goodbye, so that what was sent before arrives. Closing at once would take it back.
        to.Shutdown(SocketShutdown.Send);
    }

    private bool IsToCut()
    {
        lock (_listener)
        {
            if (_cuts >= _most)
            {
                return false;
            }
            _cuts++;
            return true;
        }
    }

    public void Dispose() => _listener.Stop();
}
