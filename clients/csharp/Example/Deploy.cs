using System;
using System.IO;
using System.Threading.Tasks;
using Branchkeeper.Client;
using Branchkeeper.V1;

namespace Branchkeeper.Example;

/// <summary>
/// Migrates the whole fleet from a deployment script, and shows how far it is.
/// Usage: <c>Example [TARGET]</c>; the token, if any, is in the file that BRANCHKEEPER_TOKEN_FILE names. Ends with 0 when
/// every branch succeeded, 1 when some failed, 3 when the service could not do it.
/// </summary>
public static class Deploy
{
    private const int Width = 40;

    /// <summary>Migrates the fleet of the service that the first argument names.</summary>
    public static Task<int> Main(string[] arguments) =>
        DeployAsync(arguments.Length > 0 ? arguments[0] : "http://127.0.0.1:50051", Console.Error, Console.Out);

    /// <summary>Migrates the fleet; the bar is written to one place, the outcome to another.</summary>
    public static async Task<int> DeployAsync(string target, TextWriter bar, TextWriter outcome)
    {
        var options = new Options { TokenFile = Environment.GetEnvironmentVariable("BRANCHKEEPER_TOKEN_FILE") };
        try
        {
            using var client = BranchkeeperClient.Connect(target, options);
            await client.WaitReadyAsync();
            await foreach (var happened in client.ApplyAllAsync(new ApplyAllRequest()))
            {
                if (happened.BranchFinished is { } done)
                {
                    var full = new string('#', (int)((long)Width * done.BranchesDone / done.BranchesTotal));
                    bar.Write($"\r[{full.PadRight(Width)}] {done.BranchesDone}/{done.BranchesTotal}");
                }
                else if (happened.RunFinished is { } finished)
                {
                    var result = finished.Result;
                    outcome.WriteLine($"\n{result.BranchesSucceeded} succeeded, {result.BranchesFailed} failed");
                    foreach (var error in result.Errors)
                    {
                        outcome.WriteLine($"{error.BranchCode}: {error.Message}; {error.Hint}");
                    }
                    return result.Success ? 0 : 1;
                }
            }
        }
        catch (BranchkeeperException error)
        {
            bar.WriteLine($"{error.Code}: {error.Message} {error.Hint}".TrimEnd());
        }
        catch (ArgumentException error)
        {
            bar.WriteLine(error.Message);
        }
        return 3;
    }
}
