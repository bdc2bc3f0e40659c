import Foundation
import HourglassModels

extension Dataset {
  /// Opens a folder of MNIST-style IDX files, one IDX file or one NPY file, each plain or gzip.
  ///
  /// A folder has `train-images-idx3-ubyte` for training and `t10k-images-idx3-ubyte` or `test-images-idx3-ubyte` for
  /// test, with or without `.gz` and also with a dot before `idx3`; labels lie beside them in `...-labels-idx1-ubyte`
  /// or are absent. One file is taken whole, whatever the split.
  ///
  /// Errors: nothing there, a broken file, labels that do not match, pixels outside [0, 1].
  public static func open(path: String, split: Split) throws(DataError) -> Dataset {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DataError(
        path: path, reason: "wanted a folder of IDX files, an IDX file or an NPY file, found nothing there")
    }
    return isFolder.boolValue ? try openFolder(path, split) : try openFile(path)
  }

  private static func openFolder(_ folder: String, _ split: Split) throws(DataError) -> Dataset {
    guard let imagesPath = find("images", "idx3", in: folder, split) else {
      throw DataError(
        path: folder,
        reason:
          "wanted the \(split.rawValue) images as one of \(names("images", "idx3", split).joined(separator: ", ")), "
          + "found none of them")
    }
    let (elements, shape) = try images(imagesPath)
    guard let labelsPath = find("labels", "idx1", in: folder, split) else {
      return try Dataset(elements, shape: shape, source: imagesPath)
    }
    let file = try IDXFile.read(labelsPath)
    guard case .bytes(let labels) = file.elements, file.shape.count == 1 else {
      throw DataError(
        path: labelsPath, reason: "wanted labels, one dimension of bytes, found the shape \(extents(file.shape))")
    }
    let count = elements.count / shape.count
    guard labels.count == count else {
      throw DataError(
        path: labelsPath,
        reason: "wanted \(count) labels, one for each image of \(imagesPath), found \(labels.count); one of the two "
          + "files is of another set")
    }
    return try Dataset(elements, shape: shape, labels: labels, source: imagesPath)
  }

  private static func openFile(_ path: String) throws(DataError) -> Dataset {
    if try GzipFile(path).read(NPYHeader.magic.count) == NPYHeader.magic {
      let array = try NPYFile.read(path)
      return try Dataset(array.elements, shape: try array.samples(path: path).shape, source: path)
    }
    let (elements, shape) = try images(path)
    return try Dataset(elements, shape: shape, source: path)
  }

  private static func images(_ path: String) throws(DataError) -> (Elements, ImageShape) {
    let file = try IDXFile.read(path)
    guard file.shape.count > 1 else {
      throw DataError(
        path: path, reason: "wanted images, 3 or 4 dimensions, found labels, 1 dimension of \(file.shape[0])")
    }
    return (file.elements, ImageShape(file.shape[1], file.shape[2], file.shape.count == 4 ? file.shape[3] : 1))
  }

  private static func find(_ kind: String, _ format: String, in folder: String, _ split: Split) -> String? {
    names(kind, format, split).map { "\(folder)/\($0)" }.first { FileManager.default.fileExists(atPath: $0) }
  }

  private static func names(_ kind: String, _ format: String, _ split: Split) -> [String] {
    (split == .train ? ["train"] : ["t10k", "test"]).flatMap { prefix in
      ["-", "."].flatMap { separator in
        ["", ".gz"].map { "\(prefix)-\(kind)\(separator)\(format)-ubyte\($0)" }
      }
    }
  }
}
