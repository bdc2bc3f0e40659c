import CHourglass
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

// The calls of hourglass.h on images, under their names there; the header says what each does.

/// What a `hourglass_images` is.
final class EngineImages {
  let data: Dataset

  init(_ data: Dataset) { self.data = data }
}

/// Makes a handle of the images that the body gives for a model, which need not wait for its turn.
private func makeImages(
  _ model: OpaquePointer?, _ images: UnsafeMutablePointer<OpaquePointer?>?, _ sentence: Sentence?,
  _ body: (EngineModel) throws -> Dataset
) -> Int32 {
  call(sentence) {
    let place = try given(images, "images")
    place.pointee = nil
    place.pointee = handle(EngineImages(try body(object(model, "model"))))
  }
}

/// What errors call an array of the caller's.
private let lentName = "the array"

@_cdecl("hourglass_lend_images")
public func lendImages(
  _ model: OpaquePointer?, _ array: UnsafePointer<hourglass_array>?, _ labels: UnsafePointer<Int64>?,
  _ images: UnsafeMutablePointer<OpaquePointer?>?, _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  makeImages(model, images, sentence) { model in
    let array = try given(array, "array").pointee
    try requireSize(array.size, of: hourglass_array.self, "array")
    guard let element = LentArray.Element(rawValue: array.type) else {
      throw CallError("array.type", wanted: "1 to 4, uint8, uint16, float32 or float64", found: "\(array.type)")
    }
    guard (2...4).contains(array.rank) else {
      throw CallError(lentName, wanted: "2 to 4 axes, N x H x W x C or fewer", found: "\(array.rank)")
    }
    func numbers(_ values: UnsafePointer<Int64>) -> [Int] { (0..<Int(array.rank)).map { Int(values[$0]) } }
    let recipe = try model.inTurn { model.recipe }
    let lent = try LentArray(
      given(array.data, "array.data"), element, extents: numbers(given(array.extents, "array.extents")),
      strides: array.strides.map(numbers), for: recipe.model.input, source: lentName)
    let classes = labels.map { labels in (0..<lent.count).map { Int(labels[$0]) } }
    return try Dataset(lent, labels: classes, takesMissing: recipe.missing != nil, source: lentName)
  }
}

@_cdecl("hourglass_open_images")
public func openImages(
  _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ split: UnsafePointer<CChar>?,
  _ images: UnsafeMutablePointer<OpaquePointer?>?, _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  makeImages(model, images, sentence) { model in
    let recipe = try model.inTurn { model.recipe }
    let source = DataSource(
      path: DataSource.absolute(pathText(try given(path, "path"))), split: try word(split, "split", default: .test),
      preparation: recipe.data.preparation?.forOtherImages, codes: recipe.data.codes)
    let data = try recipe.open(source)
    guard data.tiling == nil else {
      throw CallError(
        data.source, wanted: "whole pictures", found: "a model that reads tiles of them, which the program serves")
    }
    return data
  }
}

@_cdecl("hourglass_count_images")
public func countImages(_ images: OpaquePointer?) -> Int64 {
  guard let images: EngineImages = try? object(images, "images") else { return 0 }
  return Int64(images.data.count)
}

@_cdecl("hourglass_free_images")
public func freeImages(_ images: OpaquePointer?) { release(images, EngineImages.self) }

/// Calls the body with a model that has its turn, and with images.
private func with(
  _ model: OpaquePointer?, _ images: OpaquePointer?, _ sentence: Sentence?,
  _ body: (EngineModel, Dataset) throws -> Void
) -> Int32 {
  with(model, sentence) { model in
    let images: EngineImages = try object(images, "images")
    try images.data.checkShape(for: model.plan)
    try model.requireWhole(images.data)
    try body(model, images.data)
  }
}

/// Writes `width` floats for each sample, which `make` gives for some of them at a time.
private func write(
  _ samples: Int, of width: Int, to values: UnsafeMutablePointer<Float>?, _ name: String, count: Int64,
  _ make: (Range<Int>) throws -> [Float]
) throws {
  let place = try room(values, name, count: count, needed: samples.timesClamping(width))
  for start in stride(from: 0, to: samples, by: Inference.batchSize) {
    let range = start..<min(start + Inference.batchSize, samples)
    (place + start * width).update(from: try make(range), count: range.count * width)
  }
}

@_cdecl("hourglass_encode")
public func encode(
  _ model: OpaquePointer?, _ images: OpaquePointer?, _ codes: UnsafeMutablePointer<Float>?, _ count: Int64,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, images, sentence) { model, data in
    try write(data.count, of: model.inference.codeCount, to: codes, "codes", count: count) {
      model.inference.encode(try data.images($0), labels: data.labels?[$0])
    }
  }
}

@_cdecl("hourglass_reconstruct")
public func reconstruct(
  _ model: OpaquePointer?, _ images: OpaquePointer?, _ reconstructions: UnsafeMutablePointer<Float>?, _ count: Int64,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, images, sentence) { model, data in
    try write(data.count, of: model.outputCount, to: reconstructions, "reconstructions", count: count) {
      model.inference.reconstruct(try data.images($0), labels: data.labels?[$0])
    }
  }
}

@_cdecl("hourglass_decode")
public func decode(
  _ model: OpaquePointer?, _ codes: UnsafePointer<Float>?, _ samples: Int64, _ labels: UnsafePointer<Int64>?,
  _ images: UnsafeMutablePointer<Float>?, _ count: Int64,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { model in
    let (codes, size) = (try given(codes, "codes"), model.inference.codeCount)
    try model.requireDecoding()
    try write(numberOfSamples(samples), of: model.outputCount, to: images, "images", count: count) { range in
      let part = UnsafeBufferPointer(start: codes + range.lowerBound * size, count: range.count * size)
      return model.inference.decode(Array(part), labels: try classes(labels, range, of: model))
    }
  }
}

private func numberOfSamples(_ samples: Int64) throws(CallError) -> Int {
  guard samples > 0, samples <= Int32.max else {
    throw CallError("samples", wanted: "1 to \(Int32.max)", found: "\(samples)")
  }
  return Int(samples)
}

/// The classes that a decoder is told; nil where it is told none.
private func classes(
  _ labels: UnsafePointer<Int64>?, _ range: Range<Int>, of model: EngineModel
) throws -> ArraySlice<Int>? {
  guard let classes = model.plan.conditionClasses else { return nil }
  let labels = try given(labels, "labels")
  let found = range.map { Int(labels[$0]) }
  if let bad = found.first(where: { !(0..<classes).contains($0) }) {
    throw CallError("labels", wanted: "classes from 0 to \(classes - 1)", found: "\(bad)")
  }
  return found[...]
}

@_cdecl("hourglass_score")
public func score(
  _ model: OpaquePointer?, _ images: OpaquePointer?, _ by: UnsafePointer<CChar>?,
  _ scores: UnsafeMutablePointer<Double>?, _ count: Int64,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, images, sentence) { model, data in
    let kind: AnomalyScores.Kind = try word(by, "by")
    if kind == .error { try model.requireImages("score by error") }
    let place = try room(scores, "scores", count: count, needed: data.count)
    let found = try model.inference.scores(of: data, by: kind, seed: model.recipe.seed).scores
    place.update(from: found, count: found.count)
  }
}

@_cdecl("hourglass_map_errors")
public func mapErrors(
  _ model: OpaquePointer?, _ images: OpaquePointer?, _ kind: UnsafePointer<CChar>?, _ sigma: Double,
  _ maps: UnsafeMutablePointer<Float>?, _ count: Int64,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, images, sentence) { model, data in
    try model.requireImages("map errors")
    guard sigma == 0 || GaussianFilter.range.contains(sigma) else {
      throw CallError(
        "sigma", wanted: "0, or \(GaussianFilter.range.lowerBound) to \(GaussianFilter.range.upperBound) pixels",
        found: "\(sigma)")
    }
    var maker = AnomalyMaps(try word(kind, "kind"), smooth: sigma == 0 ? nil : sigma)
    let size = data.shape.height * data.shape.width
    let place = try room(maps, "maps", count: count, needed: data.count * size)
    try model.inference.eachPicture(of: data) { picture in
      (place + picture.index * size).update(from: maker.map(picture), count: size)
    }
  }
}

@_cdecl("hourglass_sample")
public func sample(
  _ model: OpaquePointer?, _ samples: Int64, _ seed: UInt64, _ images: UnsafeMutablePointer<Float>?, _ count: Int64,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { model in
    try model.requireImages("sample")
    try model.requireDecoding()
    guard model.recipe.model.hasPrior else {
      throw CallError(
        "model", wanted: "a variational model or one with an MMDPenalty, to sample",
        found: "\(model.recipe.model.name), a plain autoencoder, which has no prior to draw from")
    }
    try write(numberOfSamples(samples), of: model.outputCount, to: images, "images", count: count) { range in
      model.inference.decode(
        model.inference.standardNormalCodes(range.count, from: range.lowerBound, seed: seed),
        labels: model.inference.classesInTurn(range))
    }
  }
}
