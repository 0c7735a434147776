using System;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Branchkeeper.Client;

/// <summary>Adds the token to every call, and the deadline to those that answer once.</summary>
internal sealed class Rules : Interceptor
{
    private const string Authorization = "authorization";
    private readonly Options _options;
    private readonly Token _token;

    internal Rules(Options options)
    {
        _options = options;
        _token = new Token(options);
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, WithToken(WithDeadline(context)));

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        BlockingUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, WithToken(WithDeadline(context)));

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, WithToken(context));

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(WithToken(context));

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(WithToken(context));

    private ClientInterceptorContext<TRequest, TResponse> WithDeadline<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context)
        where TRequest : class
        where TResponse : class
    {
        if (context.Options.Deadline != null)
        {
            return context;
        }
        var limit = Semantics.Named.Contains(context.Method.FullName) ? _options.RunDeadline : _options.Deadline;
        return With(context, context.Options.WithDeadline(DateTime.UtcNow + limit));
    }

    private ClientInterceptorContext<TRequest, TResponse> WithToken<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context)
        where TRequest : class
        where TResponse : class
    {
        if (_token.Now() is not { } token)
        {
            return context;
        }
        // The caller's own headers are left as they are: they may be used for another call.
        var headers = new Metadata();
        foreach (var entry in context.Options.Headers ?? Metadata.Empty)
        {
            if (entry.Key != Authorization)
            {
                headers.Add(entry);
            }
        }
        headers.Add(Authorization, "Bearer " + token);
        return With(context, context.Options.WithHeaders(headers));
    }

    private static ClientInterceptorContext<TRequest, TResponse> With<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context, CallOptions options)
        where TRequest : class
        where TResponse : class =>
        new(context.Method, context.Host, options);
}
