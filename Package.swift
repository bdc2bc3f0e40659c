// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// The name of the OpenMP runtime library: `omp5` in Debian's libomp-dev, `omp` elsewhere.
let openMPLibrary = ProcessInfo.processInfo.environment["HOURGLASS_OPENMP_LIBRARY"] ?? "omp5"

/// `-O3` follows SwiftPM's own `-O0`, so that the kernels are fast in debug builds and tests as well.
let kernelFlags = ["-O3", "-fno-math-errno", "-ffp-contract=on", "-Wall", "-Wextra", "-Wno-psabi"]

let package = Package(
  name: "hourglass",
  products: [
    .executable(name: "hourglass", targets: ["hourglass"]),
    .library(name: "HourglassKernels", targets: ["HourglassKernels"]),
    .library(
      name: "Hourglass",
      targets: [
        "Hourglass", "HourglassBase", "HourglassModels", "HourglassData", "HourglassTraining", "HourglassAnalysis",
      ]),
    // Scripts/build-engine links it to libhourglass.so: SwiftPM puts Swift's libraries into no shared library.
    .library(name: "HourglassC", type: .static, targets: ["HourglassC"]),
  ],
  traits: [
    .trait(name: "OpenMP", description: "Threads inside a worker, by the OpenMP runtime of the system."),
    .trait(name: "TIFF", description: "TIFF pictures, by libtiff."),
    .trait(name: "WebP", description: "WebP pictures, by libwebp."),
    .trait(name: "HDF5", description: "Data sets in HDF5 files, by libhdf5."),
    .default(enabledTraits: ["OpenMP", "TIFF", "WebP", "HDF5"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CSpng", pkgConfig: "spng", providers: [.apt(["libspng-dev"])]),
    .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
    .systemLibrary(name: "CTIFF", pkgConfig: "libtiff-4", providers: [.apt(["libtiff-dev"])]),
    .systemLibrary(name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CThreads"),
    .systemLibrary(name: "CMPI"),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "HourglassKernels",
      exclude: ["library", "ops.def"],
      cSettings: [
        .unsafeFlags(kernelFlags),
        .unsafeFlags(["-fopenmp"], .when(traits: ["OpenMP"])),
      ],
      linkerSettings: [
        .linkedLibrary("m"),
        .linkedLibrary(openMPLibrary, .when(platforms: [.linux], traits: ["OpenMP"])),
      ]),
    .target(name: "HourglassBase", dependencies: ["HourglassKernels"]),
    .target(name: "HourglassModels", dependencies: ["HourglassBase"]),
    .target(
      name: "HourglassData",
      dependencies: [
        "HourglassBase", "CZlib", "CSpng", "CTurboJPEG", "CCrypto",
        .target(name: "CTIFF", condition: .when(traits: ["TIFF"])),
        .target(name: "CWebP", condition: .when(traits: ["WebP"])),
        .target(name: "CHDF5", condition: .when(traits: ["HDF5"])),
      ]),
    .target(
      name: "CLimits",
      cSettings: [
        .unsafeFlags(kernelFlags),
        .unsafeFlags(["-fopenmp"], .when(traits: ["OpenMP"])),
      ]),
    .target(
      name: "HourglassTraining", dependencies: ["HourglassModels", "HourglassData", "CThreads", "CMPI", "CLimits"]),
    .target(name: "HourglassAnalysis", dependencies: ["HourglassTraining"]),
    .target(name: "Hourglass", dependencies: ["HourglassAnalysis"], path: "Sources/HourglassLibrary"),
    .systemLibrary(name: "CHourglass"),
    .target(name: "HourglassC", dependencies: ["HourglassAnalysis", "HourglassKernels", "CHourglass"]),
    .executableTarget(
      name: "hourglass",
      dependencies: [
        "HourglassAnalysis", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "bench",
      dependencies: [
        "HourglassTraining", "CLimits", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Sources"),
    .target(name: "TestSupport", dependencies: ["HourglassTraining"], path: "Tests/TestSupport"),
    .target(name: "HeapProbe", path: "Tests/HeapProbe"),
    .testTarget(
      name: "HourglassKernelsTests", dependencies: ["HourglassKernels", "HourglassTraining", "TestSupport"]),
    .testTarget(name: "HourglassBaseTests", dependencies: ["HourglassBase"]),
    .testTarget(name: "HourglassModelsTests", dependencies: ["HourglassModels", "TestSupport"]),
    .testTarget(name: "HourglassDataTests", dependencies: ["HourglassData", "TestSupport"], exclude: ["Reference"]),
    .testTarget(
      name: "HourglassTrainingTests", dependencies: ["HourglassAnalysis", "TestSupport", "HeapProbe"],
      exclude: ["Architectures", "Golden"]),
    .testTarget(
      name: "HourglassCTests", dependencies: ["HourglassC", "CHourglass", "HourglassAnalysis", "TestSupport"]),
    .testTarget(name: "hourglassTests", dependencies: ["hourglass", "TestSupport"]),
    .testTarget(name: "benchTests", dependencies: ["bench", "TestSupport"], path: "Tests/BenchTests"),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)
