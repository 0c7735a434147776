using System;
using System.Net.Http;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;

namespace Branchkeeper.Client;

/// <summary>Makes the channel to the service.</summary>
internal static class Connection
{
    // Calls and streams have waits of their own. A service that was restarted is to be found as soon as they ask.
    private static readonly TimeSpan LongestReconnect = TimeSpan.FromSeconds(1);

    internal static GrpcChannel Open(Target target, Options options)
    {
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = Semantics.KeepaliveTimeout,
        };
        if (options.Keepalive > TimeSpan.Zero)
        {
            handler.KeepAlivePingDelay = options.Keepalive;
            handler.KeepAlivePingTimeout = Semantics.KeepaliveTimeout;
            handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
        }
        if (options.CaFile != null)
        {
            handler.SslOptions.CertificateChainPolicy = OnlyTrusting(options.CaFile);
        }
        if (options.CertFile != null)
        {
            handler.SslOptions.ClientCertificateContext = Own(options.CertFile, options.KeyFile);
        }
        return GrpcChannel.ForAddress(target.Address, new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = Semantics.MaxMessageBytes,
            InitialReconnectBackoff = Semantics.BackoffInitial,
            MaxReconnectBackoff = LongestReconnect,
        });
    }

    private static X509ChainPolicy OnlyTrusting(string caFile)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.ImportFromPemFile(caFile);
        if (policy.CustomTrustStore.Count == 0)
        {
            throw new ArgumentException("CaFile has no certificate in it; it has to be a PEM file");
        }
        return policy;
    }

    private static SslStreamCertificateContext Own(string certFile, string? keyFile)
    {
        var own = X509Certificate2.CreateFromPemFile(certFile, keyFile);
        if (OperatingSystem.IsWindows())
        {
            // Windows shows no certificate whose key is only in memory.
            using var inMemory = own;
            own = new X509Certificate2(inMemory.Export(X509ContentType.Pkcs12));
        }
        var all = new X509Certificate2Collection();
        all.ImportFromPemFile(certFile);
        return SslStreamCertificateContext.Create(own, all, offline: true);
    }
}
