using System;
using System.IO;

namespace Branchkeeper.Client.Tests;

/// <summary>A folder that goes when it is done with.</summary>
internal sealed class Folder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("branchkeeper-");

    internal string Name => _folder.FullName;

    internal string Write(string name, string text)
    {
        var file = Path.Combine(Name, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return file;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
