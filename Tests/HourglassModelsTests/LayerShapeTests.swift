import TestSupport
import Testing

@testable import HourglassModels

/// Shapes by PyTorch's formulas.
@Suite struct LayerShapeTests {
  @Test(arguments: LayerCases.all) func aLayerMakesTheShapeOfItsRow(_ row: LayerCase) throws {
    // Others cannot stand alone.
    if !(row.layer is TiedDense || row.layer is Concat || row.layer is TiedConvTranspose2D || row.layer is any Penalty)
    {
      var planner = try Planner(name: "input", input: row.input)
      if row.layer is GaussianLatent || row.layer is VectorQuantizer { planner.name = "latent" }
      if let unpool = row.layer as? MaxUnpool2D {
        planner = try Planner(name: unpool.of, input: row.output)
        try MaxPool2D(2).plan(&planner)
        #expect(planner.shape == row.input)
      }
      try row.layer.plan(&planner)
      #expect(planner.shape == row.output)
    }
    let plan = try ExecutionPlan(row.model, batchSize: 3)
    #expect(plan.uses.contains { $0.layer.output == row.output })
    #expect(plan.values[0].shape == row.model.input && plan.outputShape == row.model.input)
  }

  /// floor((H + 2 padding - kernel) / stride) + 1, of torch.nn.Conv2d and MaxPool2d.
  @Test func amountsFollowPyTorch() throws {
    for large in 1...12 {
      for kernel in 1...5 {
        for stride in 1...4 {
          for padding in 0...kernel + 1 where large + 2 * padding >= kernel {
            let window = try small(large, kernel, stride, .amount(Extent2D(padding, padding)))
            #expect(window.small.height == (large + 2 * padding - kernel) / stride + 1)
            #expect(window.small.width == window.small.height && window.padTop == padding && window.padLeft == padding)
          }
        }
      }
    }
  }

  /// The documentation of torch.nn.MaxPool2d says of ceil_mode that windows may go beyond the edge if they start within
  /// the left padding or the input.
  @Test func ceilingsFollowPyTorch() throws {
    for large in 1...12 {
      for kernel in 1...5 {
        for stride in 1...6 {
          for padding in 0...kernel / 2 where large + 2 * padding >= kernel {
            let window = try Window.pooled(
              ImageShape(large, large, 1), kernel: Extent2D(kernel, kernel), stride: Extent2D(stride, stride),
              padding: .amount(Extent2D(padding, padding)), ceiling: true, at: "layer")
            let starts = Array(
              (0...).lazy.map { $0 * stride - padding }.prefix { start in
                // The last window of the floor, or one more where elements are left and it starts in front of them.
                start + kernel < large + padding + stride && start < large
              })
            #expect(window.small.height == starts.count, "\(large), \(kernel), \(stride), \(padding)")
          }
        }
      }
    }
  }

  /// P = ceil(H / U); the total is what the last window needs, its smaller half at the top: torch's padding="same" for
  /// stride 1 pads the same way, total // 2 at the left and the rest at the right.
  @Test func sameCoversTheImage() throws {
    for large in 1...12 {
      for kernel in 1...5 {
        for stride in 1...4 {
          let window = try small(large, kernel, stride, .same)
          let p = window.small.height
          #expect(p == Int(clamping: (Double(large) / Double(stride)).rounded(.up)))
          let total = max(0, (p - 1) * stride + kernel - large)
          #expect(window.padTop == total / 2 && total - window.padTop - window.padTop <= 1)
        }
      }
    }
  }

  /// (P - 1) stride - 2 padding + kernel + output padding, of torch.nn.ConvTranspose2d, output padding below the
  /// stride; and the convolution of the same geometry leads back.
  @Test func transposedAmountsFollowPyTorch() throws {
    for p in 1...6 {
      for kernel in 1...5 {
        for stride in 1...3 {
          for padding in 0...kernel + 1 {
            let natural = (p - 1) * stride - 2 * padding + kernel
            for outputPadding in 0..<stride where natural + outputPadding >= 1 {
              let size = natural + outputPadding
              let amount = Padding.amount(Extent2D(padding, padding))
              let window = try large(p, kernel, stride, amount, outputPadding == 0 ? nil : size)
              #expect(window.large.height == size && window.large.width == size)
              guard size + 2 * padding >= kernel else { continue }
              #expect(try small(size, kernel, stride, amount).small.height == p)
            }
          }
        }
      }
    }
  }

  /// A transposed convolution with `.same` has exactly the geometry of the convolution from each size it may have.
  @Test func sameMirrors() throws {
    for large in 1...12 {
      for kernel in 1...5 {
        for stride in 1...4 {
          let down = try small(large, kernel, stride, .same)
          let up = try self.large(down.small.height, kernel, stride, .same, large)
          #expect(up.large.height == large && up.padTop == down.padTop && up.small.height == down.small.height)
        }
      }
    }
    #expect(try large(5, 4, 2, .same, nil).large.height == 10)
    #expect(try large(5, 3, 3, .same, nil).large.height == 15)
  }

  private func small(_ side: Int, _ kernel: Int, _ stride: Int, _ padding: Padding) throws -> Window {
    try Window.small(
      ImageShape(side, side, 1), channels: 1, kernel: Extent2D(kernel, kernel), stride: Extent2D(stride, stride),
      padding: padding, at: "layer")
  }

  private func large(_ side: Int, _ kernel: Int, _ stride: Int, _ padding: Padding, _ size: Int?) throws -> Window {
    try Window.large(
      ImageShape(side, side, 1), channels: 1, kernel: Extent2D(kernel, kernel), stride: Extent2D(stride, stride),
      padding: padding, outputSize: size.map { Extent2D($0, $0) }, at: "layer")
  }
}
