import Glibc

/// All that lies in a folder at any depth, by paths from the folder in alphabetical order.
///
/// Links are followed. A folder to which two links lead is listed twice.
public struct FolderContents {
  /// The regular files.
  public private(set) var files: [String] = []
  /// Pipes, sockets and devices, which are not opened.
  private(set) var others: [String] = []
  /// Names that cannot be looked up, such as links that lead nowhere.
  private(set) var unreachable: [String] = []
  /// Names that begin with a dot, and what lies below.
  private(set) var hidden: [String] = []
  /// Files that file managers and archivers leave behind.
  private(set) var system: [String] = []

  private static let systemNames = [
    "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "lost+found",
    "@eadir",
  ]

  private struct Folder {
    /// The path from the root, with a slash at its end; empty for the root.
    var path: String
    /// The device and number of the folder and of all folders above it.
    var lineage: [(dev_t, ino_t)]
  }

  /// Lists a folder.
  ///
  /// Errors: a folder cannot be listed; a link leads to a folder in which it lies.
  public init(of root: String) throws(DataError) {
    let status = try InputFile.status(root)
    var folders = [Folder(path: "", lineage: status.map { [($0.st_dev, $0.st_ino)] } ?? [])]
    while let folder = folders.popLast() {
      for name in try InputFile.names(in: "\(root)/\(folder.path)") {
        let place = folder.path + name
        if Self.systemNames.contains(name.lowercased()) {
          system.append(place)
          continue
        }
        if name.hasPrefix(".") {
          hidden.append(place)
          continue
        }
        guard let status = try? InputFile.status("\(root)/\(place)") else {
          unreachable.append(place)
          continue
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: files.append(place)
        case S_IFDIR:
          guard !folder.lineage.contains(where: { $0 == (status.st_dev, status.st_ino) }) else {
            throw DataError(
              path: "\(root)/\(place)",
              reason: "wanted folders in which each picture lies at one depth, found a link to a folder that the link "
                + "itself lies in; remove the link")
          }
          folders.append(Folder(path: place + "/", lineage: folder.lineage + [(status.st_dev, status.st_ino)]))
        default: others.append(place)
        }
      }
    }
    for list in [\Self.files, \.others, \.unreachable, \.hidden, \.system] { self[keyPath: list].sort() }
  }
}
