using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Threading;
using System.Threading.Tasks;
using Branchkeeper.V1;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace Branchkeeper.Client;

/// <summary>
/// A connection to the service; may be used by many threads at once. The stubs are the generated ones, and throw gRPC's own
/// RpcException; <see cref="CallAsync{T}"/> adds safe retries and throws <see cref="BranchkeeperException"/>, as every other
/// method here does.
/// </summary>
public sealed class BranchkeeperClient : IDisposable
{
    /// <summary>The name of the service to wait for before migrating.</summary>
    public const string MigrationServiceName = "branchkeeper.v1.MigrationService";

    private readonly GrpcChannel _channel;
    private readonly Options _options;
    private readonly Health.HealthClient _health;

    private BranchkeeperClient(GrpcChannel channel, Options options)
    {
        _channel = channel;
        _options = options;
        Invoker = channel.Intercept(new Rules(options));
        Branches = new BranchService.BranchServiceClient(Invoker);
        Migrations = new MigrationService.MigrationServiceClient(Invoker);
        Audit = new AuditService.AuditServiceClient(Invoker);
        Access = new AccessService.AccessServiceClient(Invoker);
        Notifications = new NotificationService.NotificationServiceClient(Invoker);
        _health = new Health.HealthClient(Invoker);
    }

    /// <summary>The register of branches.</summary>
    public BranchService.BranchServiceClient Branches { get; }

    /// <summary>Migrating, and where branches stand.</summary>
    public MigrationService.MigrationServiceClient Migrations { get; }

    /// <summary>Who did what.</summary>
    public AuditService.AuditServiceClient Audit { get; }

    /// <summary>Who may call.</summary>
    public AccessService.AccessServiceClient Access { get; }

    /// <summary>What people are told of.</summary>
    public NotificationService.NotificationServiceClient Notifications { get; }

    /// <summary>For stubs of other services: their calls get the token and the deadline too.</summary>
    public CallInvoker Invoker { get; }

    /// <summary>
    /// A client of the service at a target such as <c>keeper:50051</c> or <c>https://keeper.example</c>. It does not wait
    /// for the service; <see cref="WaitReadyAsync"/> does.
    /// </summary>
    /// <exception cref="ArgumentException">The options do not go together.</exception>
    public static BranchkeeperClient Connect(string target, Options? options = null)
    {
        var given = options ?? new Options();
        var address = given.Check(target);
        var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true };
        if (given.Keepalive > TimeSpan.Zero)
        {
            handler.KeepAlivePingDelay = given.Keepalive;
            handler.KeepAlivePingTimeout = Semantics.KeepaliveTimeout;
            handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
        }
        if (given.CaFile != null)
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(given.CaFile);
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust };
            policy.CustomTrustStore.AddRange(authorities);
            policy.RevocationMode = X509RevocationMode.NoCheck;
            handler.SslOptions.CertificateChainPolicy = policy;
        }
        if (given.CertFile != null)
        {
            var own = X509Certificate2.CreateFromPemFile(given.CertFile, given.KeyFile);
            handler.SslOptions.ClientCertificates = new X509CertificateCollection { own };
        }
        var channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = Semantics.MaxMessageBytes,
            InitialReconnectBackoff = Semantics.BackoffInitial,
            MaxReconnectBackoff = Semantics.BackoffMax,
        });
        return new BranchkeeperClient(channel, given);
    }

    /// <summary>
    /// Does a call of a stub within the client's deadline, and again where its kind and the status say that this is safe:
    /// <c>client.CallAsync(Kind.Read, call => client.Migrations.PendingAsync(request, call).ResponseAsync)</c>.
    /// </summary>
    /// <param name="kind">Whether doing it twice is the same as doing it once.</param>
    /// <param name="call">The call; it has to pass on the options that it is given.</param>
    /// <param name="limit">For all attempts. Default: the client's deadline.</param>
    /// <param name="cancellation">Ends the call.</param>
    /// <exception cref="BranchkeeperException">The call failed for good.</exception>
    public async Task<T> CallAsync<T>(
        Kind kind, Func<CallOptions, Task<T>> call, TimeSpan? limit = null, CancellationToken cancellation = default)
    {
        var end = DateTime.UtcNow + (limit ?? _options.Deadline);
        for (var failures = 1; ; failures++)
        {
            BranchkeeperException error;
            try
            {
                return await call(new CallOptions(deadline: end, cancellationToken: cancellation)).ConfigureAwait(false);
            }
            catch (RpcException failed)
            {
                cancellation.ThrowIfCancellationRequested();
                error = BranchkeeperException.From(failed);
            }
            var wait = Retries.WaitAfter(failures, error);
            if (failures >= Semantics.MaxAttempts || !Retries.Again(error, kind) || DateTime.UtcNow + wait >= end)
            {
                throw error;
            }
            await Task.Delay(wait, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Migrates one branch and answers when that is done. A request without RequestId gets one, so that it is safe to
    /// repeat, which happens by itself. A migration that fails is not an exception: look at the result.
    /// </summary>
    public Task<ApplyResponse> ApplyAsync(
        ApplyRequest request, TimeSpan? limit = null, CancellationToken cancellation = default)
    {
        var full = request.Clone();
        full.RequestId = full.RequestId.Length == 0 ? NewRequestId() : full.RequestId;
        return CallAsync(
            Kind.Named,
            call => Migrations.ApplyAsync(full, call).ResponseAsync,
            limit ?? _options.RunDeadline,
            cancellation);
    }

    /// <summary>
    /// Migrates all active branches that the request selects, and gives the run's events, each once and in order. It ends
    /// after RunFinished. The run begins with the loop. A connection that breaks is made again, and the stream goes on
    /// after the last event seen. Leaving the loop does not stop the run: CancelRun does.
    /// </summary>
    public IAsyncEnumerable<RunEvent> ApplyAllAsync(ApplyAllRequest request, CancellationToken cancellation = default)
    {
        var full = request.Clone();
        full.RequestId = full.RequestId.Length == 0 ? NewRequestId() : full.RequestId;
        return Follow(full, "", 0, full.IncludeStatements, cancellation);
    }

    /// <summary>Gives the events of a run after a sequence number, to the run's end, as <see cref="ApplyAllAsync"/>.</summary>
    public IAsyncEnumerable<RunEvent> WatchRunAsync(WatchRunRequest request, CancellationToken cancellation = default) =>
        Follow(null, request.RunId, request.AfterSequence, request.IncludeStatements, cancellation);

    private async IAsyncEnumerable<RunEvent> Follow(
        ApplyAllRequest? request,
        string runId,
        long last,
        bool includeStatements,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        var failures = 0;
        var failingSince = DateTime.UtcNow;
        while (true)
        {
            BranchkeeperException? error = null;
            var connection = Open(request, runId, last, includeStatements, cancellation);
            await using var end = connection.ConfigureAwait(false);
            while (true)
            {
                RunEvent happened;
                // An iterator cannot yield inside a try with a catch.
                try
                {
                    if (!await connection.MoveNextAsync().ConfigureAwait(false))
                    {
                        break;
                    }
                    happened = connection.Current;
                }
                catch (RpcException failed)
                {
                    cancellation.ThrowIfCancellationRequested();
                    error = BranchkeeperException.From(failed);
                    break;
                }
                runId = happened.RunId;
                if (happened.Sequence <= last)
                {
                    continue;
                }
                last = happened.Sequence;
                failures = 0;
                yield return happened;
                if (happened.EventCase == RunEvent.EventOneofCase.RunFinished)
                {
                    yield break;
                }
            }
            if (error == null && runId.Length > 0)
            {
                var which = new GetRunRequest { RunId = runId };
                var answer = await CallAsync(
                    Kind.Read, call => Migrations.GetRunAsync(which, call).ResponseAsync, null, cancellation)
                    .ConfigureAwait(false);
                if (answer.Run.EndTime != null && answer.Run.LastSequence <= last)
                {
                    yield break;
                }
            }
            error ??= BranchkeeperException.Of(StatusCode.Unavailable, "the stream ended before the run");
            if (failures++ == 0)
            {
                failingSince = DateTime.UtcNow;
            }
            var gaveUp = runId.Length == 0
                ? failures >= Semantics.MaxAttempts
                : DateTime.UtcNow - failingSince > Semantics.ReattachFor;
            if (gaveUp || !Retries.Broken(error))
            {
                throw error;
            }
            await Task.Delay(Retries.WaitAfter(failures, error), cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>The events of one connection. Disposing it ends the call.</summary>
    private async IAsyncEnumerator<RunEvent> Open(
        ApplyAllRequest? request, string runId, long last, bool includeStatements, CancellationToken cancellation)
    {
        if (runId.Length == 0 && request != null)
        {
            using var begun = Migrations.ApplyAll(request, cancellationToken: cancellation);
            while (await begun.ResponseStream.MoveNext(cancellation).ConfigureAwait(false))
            {
                yield return begun.ResponseStream.Current.Event;
            }
            yield break;
        }
        var watch = new WatchRunRequest { RunId = runId, AfterSequence = last, IncludeStatements = includeStatements };
        using var watched = Migrations.WatchRun(watch, cancellationToken: cancellation);
        while (await watched.ResponseStream.MoveNext(cancellation).ConfigureAwait(false))
        {
            yield return watched.ResponseStream.Current.Event;
        }
    }

    /// <summary>
    /// Waits until a service is there and ready to work, at most 60 s or the time given; an empty name means the service as
    /// a whole.
    /// </summary>
    /// <exception cref="BranchkeeperException">DeadlineExceeded, saying what was seen last.</exception>
    public async Task WaitReadyAsync(
        string service = MigrationServiceName, TimeSpan? limit = null, CancellationToken cancellation = default)
    {
        var end = DateTime.UtcNow + (limit ?? Semantics.ReadyTimeout);
        var pause = TimeSpan.FromMilliseconds(100);
        var request = new HealthCheckRequest { Service = service };
        while (true)
        {
            string seen;
            try
            {
                var check = DateTime.UtcNow + Semantics.ReadyCheck;
                var deadline = check < end ? check : end;
                var answer = await _health.CheckAsync(request, deadline: deadline, cancellationToken: cancellation)
                    .ResponseAsync.ConfigureAwait(false);
                if (answer.Status == HealthCheckResponse.Types.ServingStatus.Serving)
                {
                    return;
                }
                seen = answer.Status.ToString();
            }
            catch (RpcException failed)
            {
                cancellation.ThrowIfCancellationRequested();
                if (failed.StatusCode is not (StatusCode.NotFound or StatusCode.Unavailable or StatusCode.DeadlineExceeded))
                {
                    throw BranchkeeperException.From(failed);
                }
                seen = $"{failed.StatusCode}: {failed.Status.Detail}";
            }
            if (DateTime.UtcNow + pause >= end)
            {
                var text = $"'{service}' was not ready in time; the last answer was {seen}";
                throw BranchkeeperException.Of(StatusCode.DeadlineExceeded, text);
            }
            await Task.Delay(pause, cancellation).ConfigureAwait(false);
            pause = TimeSpan.FromMilliseconds(Math.Min(pause.TotalMilliseconds * 2, 1000));
        }
    }

    private static string NewRequestId() => Guid.NewGuid().ToString();

    /// <summary>Closes the connection. Calls that are under way fail.</summary>
    public void Dispose() => _channel.Dispose();
}
