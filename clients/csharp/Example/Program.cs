// Migrates the whole fleet from a deployment script, and shows how far it is.
//
// Usage: Example [TARGET]; the token, if any, is in the file that BRANCHKEEPER_TOKEN_FILE names. Ends with 0 when every
// branch succeeded, 1 when some failed, 3 when the service could not do it.
using System;
using Branchkeeper.Client;
using Branchkeeper.V1;

const int Width = 40;
var options = new Options { TokenFile = Environment.GetEnvironmentVariable("BRANCHKEEPER_TOKEN_FILE") };
try
{
    using var client = BranchkeeperClient.Connect(args.Length > 0 ? args[0] : "http://127.0.0.1:50051", options);
    await client.WaitReadyAsync();
    await foreach (var happened in client.ApplyAllAsync(new ApplyAllRequest()))
    {
        if (happened.BranchFinished is { } done)
        {
            var bar = new string('#', Width * (int)done.BranchesDone / (int)done.BranchesTotal).PadRight(Width);
            Console.Error.Write($"\r[{bar}] {done.BranchesDone}/{done.BranchesTotal}");
        }
        else if (happened.RunFinished is { } finished)
        {
            var result = finished.Result;
            Console.WriteLine($"\n{result.BranchesSucceeded} succeeded, {result.BranchesFailed} failed");
            foreach (var error in result.Errors)
            {
                Console.WriteLine($"{error.BranchCode}: {error.Message}; {error.Hint}");
            }
            return result.Success ? 0 : 1;
        }
    }
}
catch (BranchkeeperException error)
{
    Console.Error.WriteLine(error.Message);
}
return 3;
