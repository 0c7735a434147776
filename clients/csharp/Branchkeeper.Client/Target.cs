using System;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Branchkeeper.Client;

/// <summary>Where the service is.</summary>
internal sealed class Target
{
    // Uri would do, but does not tell a port that was given from the one of its scheme.
    private static readonly Regex Shape = new(
        @"^(?:(https?)://)?(\[[0-9a-fA-F:.]+\]|[^\s/:@?#\[\]\\%]+)(?::([0-9]{1,5}))?/?\z", RegexOptions.CultureInvariant);

    private readonly string _host;

    private Target(bool tls, string host, int port)
    {
        _host = host;
        Tls = tls;
        Address = new Uri($"{(tls ? "https" : "http")}://{host}:{port}");
    }

    internal bool Tls { get; }

    internal Uri Address { get; }

    /// <summary>Whether what is sent there stays on this machine.</summary>
    internal bool IsThisMachine =>
        _host == "localhost" || (IPAddress.TryParse(_host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));

    /// <summary>Reads a target. Repeats nothing of it when it is wrong: it may be secret.</summary>
    /// <exception cref="ArgumentException">It is no address.</exception>
    internal static Target Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var found = Shape.Match(text);
        var port = !found.Success ? 0
            : !found.Groups[3].Success ? Semantics.Port
            : int.Parse(found.Groups[3].ValueSpan, CultureInfo.InvariantCulture);
        if (port is >= 1 and <= 65535)
        {
            try
            {
                return new Target(found.Groups[1].Value == "https", found.Groups[2].Value, port);
            }
            catch (UriFormatException)
            {
                // Its message is followed by ours, which says the same and does not repeat the text.
            }
        }
        throw new ArgumentException("the target is not an address; write it like https://keeper.example:50051");
    }
}
