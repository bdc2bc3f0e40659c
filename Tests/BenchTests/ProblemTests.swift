import HourglassModels
import Testing

@testable import bench

struct ProblemTests {
  @Test(
    "the text of a problem is read and written alike",
    arguments: [
      Problem.example, "n1 c3 h32 w20 k32 r3 s5 u1 v2 pad1x2 conv forward",
      "n32 c64 h7 w7 k32 r4 s4 u2 v2 pad1 convt backward-data", "n128 i3136 o256 dense backward-weight",
      "n32 c32 h28 w28 r2 s2 u2 v2 pad0 pool backward",
      "n8 c64 h16 w16 k32 r5 s5 u2 v2 pad1 p32 q32 convt backward-data",
      "n2 c3 h1 w1 k4 r2 s2 u1 v1 pad0 p1 q1 conv forward",
    ])
  func roundTrip(_ text: String) throws { #expect(try Problem(text).description == text) }

  @Test("strides and padding have defaults, sizes any order")
  func defaults() throws {
    let problem = try Problem("k8 w6 h5 c4 n2 s3 r3 conv forward")
    #expect(problem.description == "n2 c4 h5 w6 k8 r3 s3 u1 v1 pad0 conv forward")
    #expect(problem.output == ImageShape(3, 4, 8))
  }

  @Test("a transposed convolution leads from the small to the large image")
  func transposed() throws {
    let problem = try Problem("n32 c64 h7 w7 k32 r4 s4 u2 v2 pad1 convt forward")
    #expect(problem.output == ImageShape(14, 14, 32))
    #expect(problem.geometry(samples: 1).large_channels == 32)
    // 7 x 7 positions of the small image meet every tap: 2 x 32 x 49 x 16 x 64 x 32.
    #expect(problem.flops == 102_760_448)
  }

  @Test("the algorithm stands before the operation, and the text says so again")
  func algorithm() throws {
    let text = "n2 c16 h8 w8 k32 r4 s4 u2 v2 pad1x1 winograd convt backward-filter"
    let problem = try Problem(text)
    #expect(problem.algorithm == .winograd && problem.operation == .convt)
    #expect(try Problem("\(problem)") == problem)
    #expect("\(problem)".hasSuffix("winograd convt backward-filter"))
  }

  @Test(
    "what cannot be is refused with what was wanted and found",
    arguments: [
      ("conv", "wanted sizes, an operation and a pass"),
      (
        "n1 c1 h4 w4 k1 r3 s3 fold forward",
        "wanted one of conv, convt, dense, pool as the word before the last"
      ),
      ("n1 c1 h4 w4 k1 r3 s3 conv backward", "wanted one of forward, backward-data, backward-filter as the last word"),
      ("n1 c1 h4 w4 k1 r3 conv forward", "the size s is missing"),
      ("n1 c1 h4 w4 r2 s2 winograd pool forward", "winograd is an algorithm of conv and convt, found pool"),
      ("n1 c1 h9 w9 k1 r5 s5 winograd conv forward", "Winograd's form wants a filter of 3 x 3"),
      ("n1 n2 c1 h4 w4 k1 r3 s3 conv forward", "the size n is given twice"),
      ("n1 c1 h4 w4 k1 r3 s3 z9 conv forward", "conv has no size z"),
      ("n1 c1 h4 w4 k1 r3 s3 padx conv forward", "wanted a letter with a number"),
      ("n9999999 c1 h4 w4 k1 r3 s3 conv forward", "found n9999999"),
      ("n1 c1 h4x4 w4 k1 r3 s3 conv forward", "found h4x4"), ("n1 c1 h4 w4 k0 r3 s3 conv forward", "at least 1"),
      ("n1 c1 h4 w4 k1 r5 s5 conv forward", "the kernel is larger than the input"),
      ("n1 c1 h4 w4 k1 r3 s3 p4 conv forward", "the size q is missing"),
      ("n1 c1 h1 w1 k1 r2 s2 pad1 convt forward", "problem"),
    ])
  func refused(_ text: String, _ sentence: String) {
    let error = #expect(throws: ProblemError.self) { try Problem(text) }
    #expect(error?.description.contains(sentence) == true, "\(error?.description ?? "")")
  }

  @Test("every flagship has a case for each pass of each layer, the first layer without a data gradient")
  func flagships() throws {
    let cases = try KernelCase.cases(of: try #require(ModelCatalog.model("conv-vae-28")), samples: 32)
    #expect(
      cases.contains {
        $0.name == "conv-vae-28/encoder.1/backward-filter" && $0.problem == (try? Problem(Problem.example))
      })
    #expect(!cases.contains { $0.name == "conv-vae-28/encoder.0/backward-data" })
    // Two convolutions, five dense layers (one makes the latent's heads), two transposed ones; three passes, less one.
    #expect(cases.count == 3 * 8 - 1)
    #expect((cases + cases).distinct.count == cases.count)
  }

  @Test(
    "kernels agree with their definitions within the bound that is stated",
    arguments: [
      "n3 c5 h6 w7 k9 r3 s2 u2 v1 pad1", "n1 c1 h5 w5 k3 r4 s4 u2 v2 pad1", "n2 c16 h4 w4 k32 r1 s1",
      "n2 c3 h5 w5 k4 r2 s2 pad0 p5 q5",
    ])
  func verified(_ sizes: String) throws {
    for operation in [Problem.Operation.conv, .convt] {
      for pass in operation.passes {
        let run = KernelRun(try Problem("\(sizes) \(operation.rawValue) \(pass.rawValue)"), threads: 1)
        #expect(run.verify() == nil)
      }
    }
    for text in ["n5 i17 o9 dense", "n3 c5 h6 w7 r2 s3 u2 v2 pad1 pool"] {
      for pass in Problem.Pass.allCases {
        if let problem = try? Problem("\(text) \(pass.rawValue)") {
          #expect(KernelRun(problem, threads: 2).verify() == nil)
        }
      }
    }
  }

  @Test("a single weight that is wrong by a thousandth is noticed")
  func wrong() throws {
    let run = KernelRun(try Problem("n2 c16 h4 w4 k32 r3 s3 pad1 conv forward"), threads: 1)
    // The kernel goes on with the weights that were prepared.
    run.operands.filter[0] += 1e-3
    #expect(run.verify()?.contains("wanted") == true)
  }
}
