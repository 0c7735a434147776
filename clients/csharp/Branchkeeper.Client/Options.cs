using System;

namespace Branchkeeper.Client;

/// <summary>How to speak with the service.</summary>
public sealed class Options
{
    /// <summary>PEM file with the authorities to trust. Default: the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM file with the client's own certificate, and those that lead to its authority. Default: none.</summary>
    public string? CertFile { get; init; }

    /// <summary>PEM file with its key, not encrypted.</summary>
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

    /// <summary>
    /// The silence after which a connection in use is asked for a sign of life, at least 1 s; zero for never. Default: 30 s.
    /// </summary>
    public TimeSpan Keepalive { get; init; } = Semantics.KeepaliveInterval;

    /// <summary>Says what does not go together. Nothing that was given is repeated: it may be secret.</summary>
    internal void Check(Target target)
    {
        if (!target.Tls && (CaFile ?? CertFile ?? KeyFile) != null)
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
        if ((Token ?? TokenFile) != null && !target.Tls && !AllowInsecureToken && !target.IsThisMachine)
        {
            throw new ArgumentException(
                "a token would be sent in the clear; use https://, or AllowInsecureToken if the network is safe");
        }
        if (Deadline <= TimeSpan.Zero || RunDeadline <= TimeSpan.Zero)
        {
            throw new ArgumentException("deadlines have to be above 0");
        }
        if (Keepalive != TimeSpan.Zero && Keepalive < TimeSpan.FromSeconds(1))
        {
            throw new ArgumentException("Keepalive has to be at least 1 s, or zero for never");
        }
    }
}
