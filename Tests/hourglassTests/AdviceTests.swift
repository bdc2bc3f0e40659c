import Foundation
import HourglassData
import Testing

/// Advice is right for the very input: what an error proposes is done here, and then the command succeeds.
@Suite struct AdviceTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var arguments: String
    /// Whether anything is proposed: nothing is where nothing helps.
    var helps = true

    init(_ arguments: String, helps: Bool = true) { (self.arguments, self.helps) = (arguments, helps) }

    var testDescription: String { arguments }
  }

  static let cases = [
    Case("train --model conv-vae-28 --data images.npy"), Case("train --model conv-ae-28 --data colour.npy"),
    Case("train --model conv-ae-32 --data images.npy"), Case("train --model conv-tied-ae-28 --data odd.npy"),
    Case("train --model deep-ae --data signal.npy"), Case("train --model conv-ae-28 --data signal.npy"),
    Case("train --model 16x1x1-4 --data images.npy", helps: false),
    Case("train --model conv-ae-unpool-28 --data signal.npy", helps: false),
    Case("train --model conv-ae-28 --data flows.npy"), Case("train --model 8x8x1-4 --data flows.npy", helps: false),
    Case("train --model conv-vae-28 --batch-size 1048576"), Case("train --model conv-ae-28 --data above.npy"),
  ]

  @Test func whatIsProposedSucceeds() throws {
    try Program.inTemporaryFolder { program in
      for (name, shape) in [
        ("colour", [4, 40, 40, 3]), ("odd", [4, 13, 11]), ("signal", [4, 16, 1]), ("flows", [4, 8, 8, 2]),
      ] {
        try NPYFile.write(
          Array(repeating: 0.5, count: shape.reduce(1, *)), shape: shape, to: program.path("\(name).npy"))
      }
      try NPYFile.write(
        Array(repeating: Float(1).nextUp, count: 2 * 784), shape: [2, 28, 28], to: program.path("above.npy"))
      for wrong in Self.cases {
        let layout = wrong.arguments.contains("flows") ? " --layout nhwc" : ""
        let arguments = (wrong.arguments + layout + " --dry-run").split(separator: " ").map(String.init)
        let errors = try program.run(arguments).errors
        let ways = Self.ways(in: errors)
        #expect(ways.isEmpty == !wrong.helps, "\(wrong.arguments): \(errors)")
        for way in ways {
          let result = try program.run(Self.changed(arguments, by: way))
          #expect(result.status == Status.done.rawValue, "\(wrong.arguments), \(way): \(result.errors)")
        }
      }
    }
  }

  /// The flags of each thing that is proposed: what stands behind the last semicolon, with commas between.
  private static func ways(in errors: String) -> [[String]] {
    guard let advice = errors.split(separator: "; ").dropFirst().last else { return [] }
    return advice.split(separator: ", ").map { way in
      way.matches(of: /--[a-z-]+( [0-9a-z@x,-]+)?/).flatMap { match in
        match.output.0.split(separator: " ").map(String.init).filter { !["makes", "takes", "fits"].contains($0) }
      }
    }.filter { !$0.isEmpty }
  }

  /// Arguments with the flags that were proposed in place of their like.
  private static func changed(_ arguments: [String], by flags: [String]) -> [String] {
    var changed = arguments
    if let place = changed.firstIndex(of: flags[0]), flags.count > 1 {
      changed[place + 1] = flags[1]
    } else {
      changed += flags
    }
    return changed
  }

  /// Arrays and texts that NumPy makes readable by the sentence that stands in the error.
  @Test func whatIsProposedForNumPySucceeds() throws {
    try Program.inTemporaryFolder { program in
      func python(_ code: String) throws -> Program.Result {
        try program.start(["python3", "-c", "import numpy as np; \(code)"], executable: "/usr/bin/env").finish()
      }
      guard try python("").status == 0 else { return }
      let cases = [
        ("object.npy", "np.save('object.npy', np.array([np.zeros((8, 8)), None], object)[:1])", "8x8x1-4"),
        ("objects.npy", "a = np.empty(2, object); a[:] = [np.zeros((8, 8))] * 2; np.save('objects.npy', a)", "8x8x1-4"),
        ("bool.npy", "np.save('bool.npy', np.zeros((4, 8, 8), bool))", "8x8x1-4"),
        ("half.npy", "np.save('half.npy', np.zeros((4, 8, 8), 'f2'))", "8x8x1-4"),
        ("complex.npy", "np.save('complex.npy', np.zeros((4, 8, 8), 'c8'))", "8x8x1-4"),
        ("vectors.npy", "np.save('vectors.npy', np.zeros((4, 64), 'f4'))", "8x8x1-4"),
        ("row.npy", "np.save('row.npy', np.zeros((4, 64, 1), 'f4'))", "1x64x1-4"),
        ("square.npy", "np.save('square.npy', np.zeros((4, 8, 8), 'f4'))", "65-4"),
      ]
      for (name, make, model) in cases {
        #expect(try python(make).status == 0, "\(make)")
        // What was something else may first become vectors, and then images.
        var (file, result) = (name, try program.run("train --model \(model) --data \(name) --dry-run"))
        for _ in 0..<2 where result.status != Status.done.rawValue {
          guard let code = result.errors.firstMatch(of: Self.numPy)?.output.0 else { break }
          let load = "a = np.load('\(file)', allow_pickle=True); "
          let saves = code.hasPrefix("np.save") ? String(code) : "\(load)np.save('\(file).npy', \(code))"
          let followed = try python(saves)
          #expect(followed.status == 0, "\(code): \(followed.errors)")
          file += ".npy"
          result = try program.run("train --model \(model) --data \(file) --dry-run")
        }
        let helps = name != "square.npy"
        #expect(
          (result.status == Status.done.rawValue) == helps && (file != name) == helps, "\(name): \(result.errors)")
      }
    }
  }

  private static var numPy: Regex<(Substring, Substring?, Substring?)> {
    /np\.(save\(|stack\(|abs\(|unique\().*\)|a\.(astype|reshape)\(.*?\)/
  }

  /// Texts that are no numbers get no recipe for numbers.
  @Test(arguments: ["hello world", "{\"a\": 1}", "a,b\nc,d\n", "1\n2\n"])
  func textWithoutNumbersIsNamedAsSuch(_ text: String) throws {
    try Program.inTemporaryFolder { program in
      try program.write(text, to: "file")
      let result = try program.run("data file")
      #expect(result.status == Status.badData.rawValue && result.errors.contains("found text"), "\(result.errors)")
      #expect(!result.errors.contains("loadtxt"), "\(result.errors)")
    }
  }

  /// A number below 0 is a value, not a flag.
  @Test(arguments: [
    "train --model tiny.json --beta -1", "train --model tiny.json --beta=-1", "train --model tiny.json --steps -3",
    "train --model tiny.json --learning-rate -.5", "train --model tiny.json --clip-norm -inf",
    "train --model tiny.json --momentum -0.5", "train --model tiny.json --min-delta -1e-3",
    "train --model tiny.json --weight-decay -1", "train --model tiny.json --seed -7",
    "sample --run missing --output a.npy --count -2",
  ])
  func aNumberBelowZeroIsRefusedAsWhatItIs(_ arguments: String) throws {
    try Program.inTemporaryFolder { program in
      let result = try program.run(arguments)
      let flag = try #require(arguments.firstMatch(of: /(--[a-z-]+)[= ]-/)?.output.1)
      #expect(result.status == Status.wrongUsage.rawValue)
      #expect(result.errors.contains("\(flag): wanted") && result.errors.contains("found -"), "\(result.errors)")
    }
  }
}
