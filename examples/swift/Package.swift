// swift-tools-version: 6.1
import Foundation
import PackageDescription

// Where Hourglass comes from: HOURGLASS_URL or this checkout, in either case by a version tag.
let checkout = URL(fileURLWithPath: Context.packageDirectory + "/../..").standardizedFileURL.path
let hourglass = Context.environment["HOURGLASS_URL"] ?? "file://" + checkout
let name = URL(fileURLWithPath: hourglass).deletingPathExtension().lastPathComponent

// Whether its kernels use OpenMP: a dependent chooses by traits.
let traits: Set<Package.Dependency.Trait> = Context.environment["HOURGLASS_OPENMP"] == "0" ? [] : [.defaults]

let package = Package(
  name: "blur",
  dependencies: [.package(url: hourglass, from: "1.0.0", traits: traits)],
  targets: [
    .executableTarget(name: "blur", dependencies: [.product(name: "HourglassKernels", package: name)]),
    .executableTarget(name: "train", dependencies: [.product(name: "Hourglass", package: name)]),
  ]
)
