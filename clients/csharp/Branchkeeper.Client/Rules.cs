using System;
using System.IO;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Branchkeeper.Client;

/// <summary>Adds the token and the deadline to every call.</summary>
internal sealed class Rules : Interceptor
{
    private readonly Options _options;
    private readonly object _lock = new();
    private string? _token;
    private (DateTime Time, long Size)? _seen;

    internal Rules(Options options)
    {
        _options = options;
        _token = options.Token?.Trim();
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Full(context, Limit(context.Method.FullName)));

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        BlockingUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Full(context, Limit(context.Method.FullName)));

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Full(context, null));

    private TimeSpan Limit(string method) =>
        Semantics.Named.Contains(method) ? _options.RunDeadline : _options.Deadline;

    private ClientInterceptorContext<TRequest, TResponse> Full<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context, TimeSpan? limit)
        where TRequest : class
        where TResponse : class
    {
        var options = context.Options;
        if (options.Deadline == null && limit != null)
        {
            options = options.WithDeadline(DateTime.UtcNow + limit.Value);
        }
        if (Token() is { } token)
        {
            var headers = new Metadata();
            foreach (var entry in options.Headers ?? Metadata.Empty)
            {
                headers.Add(entry);
            }
            headers.Add("authorization", "Bearer " + token);
            options = options.WithHeaders(headers);
        }
        return new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, options);
    }

    /// <summary>The token of the next call. The file is read again when its time or size has changed.</summary>
    private string? Token()
    {
        if (_options.TokenFile == null)
        {
            return _token;
        }
        lock (_lock)
        {
            var found = new FileInfo(_options.TokenFile);
            var now = (found.LastWriteTimeUtc, found.Length);
            if (_seen != now)
            {
                _token = File.ReadAllText(_options.TokenFile).Trim();
                _seen = now;
            }
            return _token;
        }
    }
}
