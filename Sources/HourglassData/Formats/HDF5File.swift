import HourglassBase

/// Data sets in HDF5 files as images: `file.h5:/path`, or the file alone where it has only one data set.
///
/// Elements are unsigned numbers of 8 or 16 bits, or floats of 32 or 64 bits, which are rounded to 32. The axes are
/// those of NPY files.
///
/// Source: The HDF Group, "HDF5 File Format Specification".
enum HDF5File {
  private static let magic: [UInt8] = [0x89] + Array("HDF\r\n".utf8) + [0x1a, 0x0a]

  /// The file and, where it is named, the data set that a path means; nil for other files and folders.
  static func place(_ path: String) throws(DataError) -> (file: String, set: String?)? {
    if try isHDF5(path) { return (path, nil) }
    var rest = path[...]
    while let colon = rest.firstRange(of: ":/") {
      let file = String(path[..<colon.lowerBound])
      if try isHDF5(file) { return (file, String(path[path.index(after: colon.lowerBound)...])) }
      rest = rest[colon.upperBound...]
    }
    return nil
  }

  private static func isHDF5(_ path: String) throws(DataError) -> Bool {
    guard !path.isEmpty, try InputFile.isThere(path), try !InputFile.isFolder(path) else { return false }
    return try InputFile(path).bytes(at: 0, magic.count) == magic
  }

  /// Opens a data set: all images, or where they take more than `memory` a source of single ones.
  ///
  /// Errors: there is no such data set; its elements or shape are not taken; libhdf5 refuses the file.
  static func open(
    _ place: (file: String, set: String?), _ layout: Preparation.Layout?, for input: ImageShape?, memory: Int
  ) throws(DataError) -> StoredImages {
    #if HDF5
      let set = try HDF5DataSet(place.file, place.set)
      let path = "\(place.file):\(set.name)"
      let (count, shape, isPlanar) = try NPYArray.samples(set.extents, layout, input, path)
      let names = ItemNames(file: place.file, array: set.name)
      let images = HDF5Images(set: set, count: count, shape: shape, isPlanar: isPlanar, names: names)
      guard let bytes = checkedProduct([count, shape.count, set.kind.width]), bytes <= memory else {
        return StoredImages(form: .hdf5, source: path, images: images)
      }
      try GrantedMemory.require(bytes, for: path, "hold \(count) images of \(shape)")
      let all = StackedImages([try set.elements(0..<count)], shape: shape, isPlanar: isPlanar, names: names)
      return StoredImages(form: .hdf5, source: path, images: all)
    #else
      throw DataError(
        path: place.file,
        reason: "wanted a file of images, found an HDF5 file; this program was built without the package trait HDF5, "
          + "build it with that or save the data set as NPY")
    #endif
  }
}

#if HDF5
  import CHDF5
  import Synchronization

  /// Images of a data set that are read one by one.
  private struct HDF5Images: ImageSource {
    let set: HDF5DataSet
    let count: Int
    let shape: ImageShape
    let isPlanar: Bool
    let names: ItemNames

    func image(_ index: Int) throws(DataError) -> Image {
      try GrantedMemory.require(2 * shape.count * set.kind.width, for: set.path, "hold image \(index)")
      let elements = try set.elements(index..<index + 1)
      return try StackedImages([elements], shape: shape, isPlanar: isPlanar, names: names).image(0)
    }
  }

  /// An open data set.
  private final class HDF5DataSet: Sendable {
    let path: String
    /// The path from the root, with a slash before it.
    let name: String
    let extents: [Int]
    let kind: Elements.Kind
    private let file: hid_t
    private let set: hid_t

    /// Opens a data set, without a name the only one of images in the file.
    init(_ path: String, _ name: String?) throws(DataError) {
      _ = try InputFile(path)
      self.path = path
      let found = try HDF5.call(path) { (hdf5) throws(DataError) in
        let file = try hdf5.check(H5Fopen(systemPath(path), hg_h5_read_only(), hg_h5_default()))
        do throws(DataError) {
          let name = if let name { name } else { try hdf5.only(file) }
          let set = try hdf5.open(name, file)
          return (file, name, set)
        } catch {
          H5Fclose(file)
          throw error
        }
      }
      (file, self.name, (set, extents, kind)) = found
    }

    deinit {
      HDF5.lock.withLock { _ in
        H5Dclose(set)
        H5Fclose(file)
      }
    }

    /// Samples along the first axis, as they are stored.
    func elements(_ samples: Range<Int>) throws(DataError) -> Elements {
      func read<T: BitwiseCopyable>(_ type: hid_t, _ of: T.Type) throws(DataError) -> [T] {
        let counts = [samples.count] + extents.dropFirst()
        return try [T](room: counts.reduce(1, *)) { (room) throws(DataError) in
          try HDF5.call(path) { (hdf5) throws(DataError) in
            let stored = try hdf5.check(H5Dget_space(set))
            defer { H5Sclose(stored) }
            let (start, sizes) = (
              [hsize_t(samples.lowerBound)] + [hsize_t](repeating: 0, count: extents.count - 1),
              counts.map { hsize_t($0) }
            )
            try hdf5.check(hid_t(H5Sselect_hyperslab(stored, H5S_SELECT_SET, start, nil, sizes, nil)))
            let memory = try hdf5.check(H5Screate_simple(Int32(sizes.count), sizes, nil))
            defer { H5Sclose(memory) }
            try hdf5.check(hid_t(H5Dread(set, type, memory, stored, hg_h5_default(), room.baseAddress)))
          }
          return room.count
        }
      }
      switch kind {
      case .uint8: return .bytes(try read(hg_h5_uint8(), UInt8.self))
      case .uint16: return .words(try read(hg_h5_uint16(), UInt16.self))
      case .float32: return .floats(try read(hg_h5_float(), Float.self))
      }
    }
  }

  /// Calls of libhdf5, one at a time because not every build of it knows threads; nothing is printed.
  private struct HDF5 {
    static let lock = Mutex(())
    /// At the end of the process libhdf5 would close what is open, and print where broken files keep it from that.
    private static let leavesExitAlone = H5dont_atexit() >= 0
    private let path: String

    static func call<R: Sendable>(
      _ path: String, _ body: (HDF5) throws(DataError) -> R
    ) throws(DataError) -> R {
      try lock.withLock { (_) throws(DataError) in
        _ = leavesExitAlone
        let printer = hg_h5_silence()
        defer { hg_h5_restore(printer) }
        return try body(HDF5(path: path))
      }
    }

    /// The result of a call; a negative one becomes an error.
    @discardableResult func check(_ result: hid_t) throws(DataError) -> hid_t {
      guard result < 0 else { return result }
      throw error("wanted an HDF5 file, but libhdf5 says: \(hg_h5_error().map { String(cString: $0) } ?? "it fails")")
    }

    private func error(_ reason: String) -> DataError { DataError(path: path, reason: reason) }

    /// The name of the only data set that can be images.
    func only(_ file: hid_t) throws(DataError) -> String {
      let all = Names()
      var list = hg_h5_names(
        name: { name, context in
          guard let name, let context else { return }
          Unmanaged<Names>.fromOpaque(context).takeUnretainedValue().names.append("/" + String(cString: name))
        }, context: Unmanaged.passUnretained(all).toOpaque())
      try check(hid_t(hg_h5_list(file, &list)))
      let images = all.names.filter { name in
        guard let found = try? open(name, file) else { return false }
        H5Dclose(found.set)
        return found.extents.count > 1
      }
      guard images.count == 1 else {
        let found = all.names.isEmpty ? "none" : all.names.prefix(12).joined(separator: ", ")
        throw error("wanted the name of a data set, as \(path):/name, found the data sets \(found)")
      }
      return images[0]
    }

    private final class Names { var names: [String] = [] }

    func open(_ name: String, _ file: hid_t) throws(DataError) -> (set: hid_t, extents: [Int], kind: Elements.Kind) {
      let set = try check(H5Dopen2(file, name, hg_h5_default()))
      do throws(DataError) {
        let kind = try kind(set, name)
        let extents = try extents(set)
        return (try withCache(set, name, file, extents, kind), extents, kind)
      } catch {
        H5Dclose(set)
        throw error
      }
    }

    private func kind(_ set: hid_t, _ name: String) throws(DataError) -> Elements.Kind {
      let type = try check(H5Dget_type(set))
      defer { H5Tclose(type) }
      let (kind, size, isUnsigned) = (H5Tget_class(type), H5Tget_size(type), H5Tget_sign(type) == H5T_SGN_NONE)
      switch (kind, size) {
      case (H5T_INTEGER, 1) where isUnsigned: return .uint8
      case (H5T_INTEGER, 2) where isUnsigned: return .uint16
      case (H5T_FLOAT, 2...8): return .float32
      default:
        let found =
          kind == H5T_INTEGER
          ? "\(isUnsigned ? "uint" : "int")\(8 * size)" : kind == H5T_STRING ? "text" : "others of \(size) bytes"
        throw error("\(name): wanted elements of uint8, uint16, float32 or float64, found \(found)")
      }
    }

    private func extents(_ set: hid_t) throws(DataError) -> [Int] {
      let space = try check(H5Dget_space(set))
      defer { H5Sclose(space) }
      let rank = Int(try check(hid_t(H5Sget_simple_extent_ndims(space))))
      var extents = [hsize_t](repeating: 0, count: rank)
      try check(hid_t(H5Sget_simple_extent_dims(space, &extents, nil)))
      return extents.map { Int(clamping: $0) }
    }

    /// The data set opened anew where it lies in chunks that are larger than those that libhdf5 keeps unpacked: with
    /// room for four of them.
    ///
    /// Errors: the data lies outside the file, where it might be anything; memory is not granted for the chunks.
    private func withCache(
      _ set: hid_t, _ name: String, _ file: hid_t, _ extents: [Int], _ kind: Elements.Kind
    ) throws(DataError) -> hid_t {
      let properties = try check(H5Dget_create_plist(set))
      defer { H5Pclose(properties) }
      let layout = H5Pget_layout(properties)
      guard [H5D_COMPACT, H5D_CONTIGUOUS, H5D_CHUNKED].contains(layout),
        layout != H5D_CONTIGUOUS || H5Pget_external_count(properties) == 0
      else { throw error("\(name): wanted data in the file itself, found data that lies in others; copy it into one") }
      guard layout == H5D_CHUNKED else { return set }
      var chunk = [hsize_t](repeating: 0, count: extents.count)
      try check(hid_t(H5Pget_chunk(properties, Int32(chunk.count), &chunk)))
      let bytes = checkedProduct(chunk.map { Int(clamping: $0) } + [8, 4])
      try GrantedMemory.require(bytes, for: path, "hold chunks of \(name)")
      guard let bytes, bytes > 1 << 20 else { return set }
      let access = try check(H5Pcreate(hg_h5_dataset_access()))
      defer { H5Pclose(access) }
      try check(hid_t(H5Pset_chunk_cache(access, 521, bytes, 1)))
      let again = try check(H5Dopen2(file, name, access))
      H5Dclose(set)
      return again
    }
  }
#endif
