import CHourglass
import Glibc
import HourglassAnalysis
import HourglassData
import HourglassKernels
import HourglassModels
import HourglassTraining

// The calls of hourglass.h on models, under their names there; the header says what each does.

@_cdecl("hourglass_version")
public func version() -> UnsafePointer<CChar>? { hg_version() }

@_cdecl("hourglass_free_text")
public func freeText(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

@_cdecl("hourglass_make_model")
public func makeModel(
  _ settings: UnsafePointer<CChar>?, _ model: UnsafeMutablePointer<OpaquePointer?>?,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  call(sentence) {
    let place = try given(model, "model")
    place.pointee = nil
    place.pointee = handle(try EngineModel(settings: text(settings, "settings")))
  }
}

@_cdecl("hourglass_open_model")
public func openModel(
  _ folder: UnsafePointer<CChar>?, _ checkpoint: UnsafePointer<CChar>?, _ model: UnsafeMutablePointer<OpaquePointer?>?,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  call(sentence) {
    let place = try given(model, "model")
    place.pointee = nil
    let path = pathText(try given(folder, "folder"))
    guard try InputFile.isThere(path) else {
      throw CallError(HOURGLASS_NOT_FOUND, "\(path): wanted the folder of a run, found nothing there")
    }
    place.pointee = handle(try EngineModel(folder: path, word(checkpoint, "checkpoint", default: .last)))
  }
}

@_cdecl("hourglass_free_model")
public func freeModel(_ model: OpaquePointer?) { release(model, EngineModel.self) }

@_cdecl("hourglass_save")
public func save(
  _ model: OpaquePointer?, _ folder: UnsafePointer<CChar>?,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { try $0.save(pathText(given(folder, "folder"))) }
}

@_cdecl("hourglass_export")
public func export(
  _ model: OpaquePointer?, _ format: UnsafePointer<CChar>?, _ folder: UnsafePointer<CChar>?,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { model in
    let path = pathText(try given(folder, "folder"))
    guard !path.isEmpty else { throw CallError("folder", wanted: "a path", found: "an empty one") }
    try model.export(word(format, "format"), to: path)
  }
}

@_cdecl("hourglass_describe")
public func describe(
  _ model: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { model in
    let place = try given(json, "json")
    place.pointee = strdup(model.describe())
  }
}

@_cdecl("hourglass_read_parameter")
public func readParameter(
  _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ values: UnsafeMutablePointer<Float>?, _ count: Int64,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { model in
    let parameter = try model.parameter(text(name, "name"))
    let tensor = parameter.tensor(in: model.inference.parameters.pointer)
    try room(values, "values", count: count, needed: tensor.count).update(from: tensor, count: tensor.count)
  }
}

@_cdecl("hourglass_write_parameters")
public func writeParameters(
  _ model: OpaquePointer?, _ count: Int64, _ names: UnsafePointer<UnsafePointer<CChar>?>?,
  _ values: UnsafePointer<UnsafePointer<Float>?>?, _ counts: UnsafePointer<Int64>?,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { model in
    let (names, values, counts) = (try given(names, "names"), try given(values, "values"), try given(counts, "counts"))
    guard (0...Int64(model.plan.parameters.count)).contains(count) else {
      throw CallError("count", wanted: "at most \(model.plan.parameters.count) parameters", found: "\(count)")
    }
    var found: [(parameter: Parameter, values: [Float])] = []
    for i in 0..<Int(count) {
      let name = try text(names[i], "names")
      let parameter = try model.parameter(name)
      guard counts[i] == Int64(parameter.count) else {
        throw CallError(
          name, wanted: "\(parameter.count) numbers, of the shape \(parameter.shape)", found: "\(counts[i])")
      }
      let tensor = Array(UnsafeBufferPointer(start: try given(values[i], name), count: parameter.count))
      if let bad = tensor.first(where: { !$0.isFinite }) {
        throw CallError(name, wanted: "finite numbers", found: "\(bad)")
      }
      found.append((parameter, tensor))
    }
    model.replace(found)
  }
}

@_cdecl("hourglass_train")
public func train(
  _ model: OpaquePointer?, _ images: OpaquePointer?, _ validation: OpaquePointer?,
  _ training: UnsafePointer<hourglass_training>?, _ end: UnsafeMutablePointer<Int32>?,
  _ sentence: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  with(model, sentence) { model in
    let standard = hourglass_training(
      size: MemoryLayout<hourglass_training>.size, folder: nil, keeps_weights: 0, observer: nil, context: nil)
    let options = training?.pointee ?? standard
    try requireSize(options.size, of: hourglass_training.self, "training")
    func data(_ images: OpaquePointer?) throws -> Dataset? {
      guard images != nil else { return nil }
      let images: EngineImages = try object(images, "images")
      return images.data
    }
    let observer: EngineModel.Observer? = options.observer.map { observer in
      { report, row in
        var progress = hourglass_progress(
          size: MemoryLayout<hourglass_progress>.size, step: Int64(report.step), last_step: Int64(report.lastStep),
          epoch: Int64(row?.epoch ?? report.epoch), samples: Int64(report.samples),
          loss: row?.loss ?? report.loss.total, metrics: nil)
        guard let row else { return observer(options.context, &progress) != 0 }
        return JSONText.line(row).withCString { metrics in
          progress.metrics = metrics
          return observer(options.context, &progress) != 0
        }
      }
    }
    let how = try model.train(
      data(images), validation: data(validation), folder: options.folder.map(pathText),
      keepsWeights: options.keeps_weights != 0, observer)
    end?.pointee =
      switch how {
      case .finished: 0
      case .stoppedEarly: 1
      case .interrupted: 2
      }
  }
}

/// Refuses a struct of another size than the header's.
func requireSize<T>(_ size: Int, of _: T.Type, _ name: String) throws(CallError) {
  guard size == MemoryLayout<T>.size else {
    throw CallError("\(name).size", wanted: "\(MemoryLayout<T>.size), as the header has it", found: "\(size)")
  }
}
