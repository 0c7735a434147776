using System;
using System.IO;
using System.Runtime.CompilerServices;
using Xunit;

// Services of two tests at once would slow each other down until deadlines pass.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Branchkeeper.Client.Tests;

/// <summary>Where things are.</summary>
internal static class Repository
{
    internal static string TestData(string name) => Path.Combine(Root(), "clients", "testdata", name);

    internal static string Semantics() => Path.Combine(Root(), "clients", "semantics.json");

    internal static string Binary() =>
        Environment.GetEnvironmentVariable("BRANCHKEEPER_BIN") ?? Path.Combine(Root(), "target", "debug", "branchkeeper");

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}
