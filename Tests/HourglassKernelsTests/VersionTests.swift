import HourglassKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct VersionTests {
    @Test("other sizes, and values that no kernel has yet, are refused")
    func refused() {
      let whole = hg_geometry2d.make(samples: 1, large: (3, 3, 2), small: (3, 3, 2), filter: (3, 3), padding: (1, 1))
      func sentence(_ change: (inout hg_geometry2d) -> Void) -> String? {
        var geometry = whole
        change(&geometry)
        return text(hg_conv2d_check(&geometry))
      }
      #expect(sentence { _ in } == nil)
      for size in [0, 8, whole.size - 1, whole.size + 8] {
        #expect(sentence { $0.size = size } == "geometry.size is not sizeof(hg_geometry2d)")
      }
      #expect(sentence { $0.algorithm = hg_algorithm(2) } == "there is no such algorithm")
      #expect(sentence { $0.precision = 1 } == "there is no such precision: it must be 0, for float")
      #expect(sentence { $0.dilation_vertical = 1 } == nil)
      #expect(sentence { $0.dilation_horizontal = -1 } == "the dilation is negative")
      #expect(sentence { $0.dilation_vertical = 1 << 32 } == "the dilation exceeds 2^31")
      #expect(sentence { $0.groups = -1 } == "the number of groups is negative")
      #expect(sentence { $0.groups = 3 } == "the groups do not divide the channels of the large image")
      #expect(
        sentence { ($0.groups, $0.small_channels) = (2, 3) }
          == "the groups do not divide the channels of the small image")
      for change: (inout hg_geometry2d) -> Void in [{ $0.dilation_vertical = 2 }, { $0.groups = 2 }] {
        var geometry = whole
        change(&geometry)
        #expect(text(hg_conv2d_check(&geometry)) == nil)
        #expect(text(hg_max_pool2d_check(&geometry)) == "pooling has neither dilation nor groups of channels")
        #expect(text(hg_upsample2d_check(&geometry)) == "upsampling has neither dilation nor groups of channels")
        geometry.algorithm = HG_ALGORITHM_WINOGRAD
        #expect(text(hg_conv2d_check(&geometry)) == "Winograd's form has neither dilation nor groups of channels")
      }
      var pool = hg_geometry2d.make(
        samples: 1, large: (5, 5, 2), small: (3, 3, 2), filter: (3, 3), algorithm: HG_ALGORITHM_WINOGRAD)
      #expect(text(hg_max_pool2d_check(&pool)) == "pooling has no other algorithm")
    }
  }
}
