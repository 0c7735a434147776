namespace Branchkeeper.Client;

/// <summary>Whether doing a call twice is the same as doing it once.</summary>
public enum Kind
{
    /// <summary>It changes nothing.</summary>
    Read,

    /// <summary>It carries a request_id, so the service does the work once.</summary>
    Named,

    /// <summary>Everything else.</summary>
    Write,
}
