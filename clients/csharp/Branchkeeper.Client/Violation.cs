namespace Branchkeeper.Client;

/// <summary>One field of a request that cannot be accepted.</summary>
/// <param name="Field">Its name; empty when the violation is of no single field.</param>
/// <param name="Description">What is wrong with it.</param>
public sealed record Violation(string Field, string Description);
