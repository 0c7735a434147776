using System;
using System.IO;
using Grpc.Core;

namespace Branchkeeper.Client;

/// <summary>The token that every call carries, if any.</summary>
internal sealed class Token
{
    private readonly object _lock = new();
    private readonly string? _file;
    private string? _text;
    private (DateTime Time, long Size)? _seen;

    internal Token(Options options)
    {
        _file = options.TokenFile;
        _text = options.Token?.Trim();
    }

    /// <summary>The token of the next call. The file is read again when its time or size has changed.</summary>
    /// <exception cref="RpcException">InvalidArgument: the file cannot be read.</exception>
    internal string? Now()
    {
        if (_file == null)
        {
            return _text;
        }
        lock (_lock)
        {
            try
            {
                var found = new FileInfo(_file);
                var now = (found.LastWriteTimeUtc, found.Length);
                if (_seen != now)
                {
                    _text = File.ReadAllText(_file).Trim();
                    _seen = now;
                }
            }
            catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
            {
                var text = $"the token file cannot be read: {failed.Message}";
                throw new RpcException(new Status(StatusCode.InvalidArgument, text, failed));
            }
            return _text;
        }
    }
}
