using System;
using System.Collections.Generic;
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
    /// <param name="target">
    /// <c>host:port</c>, <c>http://host:port</c> or <c>https://host:port</c>, which means TLS; without a port 50051.
    /// </param>
    /// <param name="options">How to speak with it.</param>
    /// <exception cref="ArgumentException">The target is no address, or the options do not go together.</exception>
    /// <exception cref="System.IO.IOException">A certificate or key cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file has no certificate or key in it.</exception>
    public static BranchkeeperClient Connect(string target, Options? options = null)
    {
        var at = Target.Of(target);
        var given = options ?? new Options();
        given.Check(at);
        return new BranchkeeperClient(Connection.Open(at, given), given);
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
        ArgumentNullException.ThrowIfNull(call);
        var end = Deadlines.After(limit ?? _options.Deadline);
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
            if (failures >= Semantics.MaxAttempts || !Retries.Again(error, kind) || end - DateTime.UtcNow <= wait)
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
    /// <param name="request">The branch, and how to migrate it.</param>
    /// <param name="limit">For all attempts. Default: the client's run deadline.</param>
    /// <param name="cancellation">Ends the call; the run goes on.</param>
    /// <exception cref="BranchkeeperException">The service refused, or could not be asked.</exception>
    public Task<ApplyResponse> ApplyAsync(
        ApplyRequest request, TimeSpan? limit = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var full = request.Clone();
        full.RequestId = Named(full.RequestId);
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
    /// <exception cref="BranchkeeperException">In the loop: the run cannot begin, or not be watched any more.</exception>
    public IAsyncEnumerable<RunEvent> ApplyAllAsync(ApplyAllRequest request, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var begin = request.Clone();
        begin.RequestId = Named(begin.RequestId);
        var watch = new WatchRunRequest { IncludeStatements = begin.IncludeStatements };
        return RunEvents.Follow(this, begin, watch, cancellation);
    }

    /// <summary>
    /// Gives the events of a run after a sequence number, to the run's end, over broken connections as
    /// <see cref="ApplyAllAsync"/>.
    /// </summary>
    /// <exception cref="BranchkeeperException">In the loop: there is no such run, or it cannot be watched any more.</exception>
    public IAsyncEnumerable<RunEvent> WatchRunAsync(WatchRunRequest request, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return RunEvents.Follow(this, null, request, cancellation);
    }

    /// <summary>
    /// Waits until a service is there and ready to work, at most 60 s or the time given; an empty name means the service as
    /// a whole.
    /// </summary>
    /// <param name="service">Its full name.</param>
    /// <param name="limit">How long to wait. Default: 60 s.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="BranchkeeperException">DeadlineExceeded, saying what was seen last.</exception>
    public async Task WaitReadyAsync(
        string service = MigrationServiceName, TimeSpan? limit = null, CancellationToken cancellation = default)
    {
        var end = Deadlines.After(limit ?? Semantics.ReadyTimeout);
        var pause = TimeSpan.FromMilliseconds(100);
        var request = new HealthCheckRequest { Service = service };
        while (true)
        {
            string seen;
            try
            {
                var check = Deadlines.After(Semantics.ReadyCheck);
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
                var error = BranchkeeperException.From(failed);
                if (error.Code is not (StatusCode.NotFound or StatusCode.Unavailable or StatusCode.DeadlineExceeded))
                {
                    throw error;
                }
                seen = $"{error.Code}: {error.Message}";
            }
            if (end - DateTime.UtcNow <= pause)
            {
                var text = $"'{service}' was not ready in time; the last answer was {seen}";
                throw BranchkeeperException.Of(StatusCode.DeadlineExceeded, text);
            }
            await Task.Delay(pause, cancellation).ConfigureAwait(false);
            pause = TimeSpan.FromMilliseconds(Math.Min(pause.TotalMilliseconds * 2, 1000));
        }
    }

    private static string Named(string requestId) => requestId.Length == 0 ? Guid.NewGuid().ToString() : requestId;

    /// <summary>Closes the connection. Calls that are under way fail.</summary>
    public void Dispose() => _channel.Dispose();
}
