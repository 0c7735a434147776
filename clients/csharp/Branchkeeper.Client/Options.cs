using System;
using System.Net;

namespace Branchkeeper.Client;

/// <summary>How to speak with the service.</summary>
public sealed record Options
{
    /// <summary>PEM file with the authorities to trust. Default: the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM file with the client's own certificate. Default: none.</summary>
    public string? CertFile { get; init; }

    /// <summary>PEM file with its key.</summary>
    public string? KeyFile { get; init; }

    /// <summary>What proves who the client is. Default: nothing.</summary>
    public string? Token { get; init; }

    /// <summary>The same in a file, which is read again when it has changed.</summary>
    public string? TokenFile { get; init; }

    /// <summary>Send the token to other machines without TLS. Default: refuse.</summary>
    public bool AllowInsecureToken { get; init; }

    /// <summary>Limits a call, its retries included. Default: 60 s.</summary>
    public TimeSpan Deadline { get; init; } = Semantics.Deadline;

    /// <summary>Limits a call that answers when a run is over. Default: 30 min.</summary>
    public TimeSpan RunDeadline { get; init; } = Semantics.RunDeadline;

    /// <summary>The silence after which a connection in use is asked for a sign of life; zero for never. Default: 30 s.</summary>
    public TimeSpan Keepalive { get; init; } = Semantics.KeepaliveInterval;

    /// <summary>Reads the target and says what does not go together. Repeats nothing: it may be secret.</summary>
    internal Uri Check(string target)
    {
        var text = target.Contains("://", StringComparison.Ordinal) ? target : "http://" + target;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var found)
            || (found.Scheme != Uri.UriSchemeHttp && found.Scheme != Uri.UriSchemeHttps)
            || found.Host.Length == 0 || found.AbsolutePath != "/" || found.Query.Length > 0
            || found.Fragment.Length > 0 || found.UserInfo.Length > 0)
        {
            throw new ArgumentException("the target is not an address; write it like https://keeper.example:50051");
        }
        // Uri takes a port that is not given for the scheme's own.
        var named = text.TrimEnd('/').EndsWith($":{found.Port}", StringComparison.Ordinal);
        var address = named ? found : new UriBuilder(found) { Port = Semantics.Port }.Uri;
        var tls = address.Scheme == Uri.UriSchemeHttps;
        if (!tls && (CaFile ?? CertFile ?? KeyFile) != null)
        {
            throw new ArgumentException("certificates need TLS; begin the target with https://");
        }
        if ((CertFile == null) != (KeyFile == null))
        {
            throw new ArgumentException("CertFile and KeyFile belong together; give both or neither");
        }
        if (Token != null && TokenFile != null)
        {
            throw new ArgumentException("Token and TokenFile exclude each other; give one of them");
        }
        if ((Token ?? TokenFile) != null && !tls && !AllowInsecureToken && !IsThisMachine(address))
        {
            throw new ArgumentException(
                "a token would be sent in the clear; use https://, or AllowInsecureToken if the network is safe");
        }
        if (Deadline <= TimeSpan.Zero || RunDeadline <= TimeSpan.Zero)
        {
            throw new ArgumentException("deadlines have to be above 0");
        }
        return address;
    }

    private static bool IsThisMachine(Uri address) =>
        address.Host == "localhost"
        || (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
}
