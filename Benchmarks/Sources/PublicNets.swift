/// Layers with dilation or groups of nets that many people train, by the shapes that their papers and their usual
/// implementations give them.
enum PublicNets {
  /// The name of a net, and its layers as problems without a pass.
  private static let layers: [(net: String, layers: [String])] = [
    // Howard et al., arXiv:1704.04861.
    (
      "mobilenet-v1",
      [
        "n32 c32 h112 w112 k32 r3 s3 u1 v1 pad1 g32 conv",
        "n32 c64 h112 w112 k64 r3 s3 u2 v2 pad1 g64 conv",
        "n32 c128 h56 w56 k128 r3 s3 u1 v1 pad1 g128 conv",
        "n32 c128 h56 w56 k128 r3 s3 u2 v2 pad1 g128 conv",
        "n32 c256 h28 w28 k256 r3 s3 u1 v1 pad1 g256 conv",
        "n32 c256 h28 w28 k256 r3 s3 u2 v2 pad1 g256 conv",
        "n32 c512 h14 w14 k512 r3 s3 u1 v1 pad1 g512 conv",
        "n32 c512 h14 w14 k512 r3 s3 u2 v2 pad1 g512 conv",
        "n32 c1024 h7 w7 k1024 r3 s3 u1 v1 pad1 g1024 conv",
      ]
    ),
    // Sandler et al., CVPR 2018.
    (
      "mobilenet-v2",
      [
        "n16 c96 h112 w112 k96 r3 s3 u2 v2 pad1 g96 conv",
        "n32 c144 h56 w56 k144 r3 s3 u1 v1 pad1 g144 conv",
        "n32 c576 h14 w14 k576 r3 s3 u1 v1 pad1 g576 conv",
      ]
    ),
    // Howard et al., ICCV 2019.
    (
      "mobilenet-v3",
      [
        "n32 c120 h28 w28 k120 r5 s5 u1 v1 pad2 g120 conv",
        "n32 c72 h56 w56 k72 r5 s5 u2 v2 pad2 g72 conv",
        "n32 c672 h14 w14 k672 r5 s5 u2 v2 pad2 g672 conv",
        "n32 c960 h7 w7 k960 r5 s5 u1 v1 pad2 g960 conv",
      ]
    ),
    // Vahdat & Kautz, NeurIPS 2020.
    (
      "nvae",
      [
        "n16 c192 h16 w16 k192 r5 s5 u1 v1 pad2 g192 conv",
        "n16 c768 h8 w8 k768 r5 s5 u1 v1 pad2 g768 conv",
        "n16 c96 h32 w32 k96 r5 s5 u1 v1 pad2 g96 conv",
      ]
    ),
    // Two filters for each channel: "depth_multiplier" of Keras.
    (
      "depth-multiplier",
      [
        "n32 c32 h28 w28 k64 r3 s3 u1 v1 pad1 g32 conv"
      ]
    ),
    // A depthwise enlargement.
    (
      "depthwise-transposed",
      [
        "n32 c128 h14 w14 k128 r4 s4 u2 v2 pad1 g128 convt"
      ]
    ),
    // Bai et al., arXiv:1803.01271, and WaveNet, arXiv:1609.03499.
    (
      "tcn",
      [
        "n32 c32 h1 w400 k32 r1 s3 u1 v1 pad0x2 conv",
        "n32 c64 h1 w400 k64 r1 s3 u1 v1 pad0x4 dil1x2 conv",
        "n32 c25 h1 w400 k25 r1 s7 u1 v1 pad0x24 dil1x4 conv",
        "n32 c25 h1 w784 k25 r1 s7 u1 v1 pad0x48 dil1x8 conv",
        "n16 c150 h1 w256 k150 r1 s5 u1 v1 pad0x8 dil1x2 conv",
        "n16 c32 h1 w1024 k64 r1 s2 u1 v1 pad0x16 dil1x16 conv",
      ]
    ),
    // Xie et al., CVPR 2017, ResNeXt-50 32 x 4d.
    (
      "resnext",
      [
        "n16 c128 h56 w56 k128 r3 s3 u1 v1 pad1 g32 conv",
        "n16 c256 h56 w56 k256 r3 s3 u2 v2 pad1 g32 conv",
        "n16 c256 h28 w28 k256 r3 s3 u1 v1 pad1 g32 conv",
        "n16 c512 h14 w14 k512 r3 s3 u1 v1 pad1 g32 conv",
        "n16 c1024 h7 w7 k1024 r3 s3 u1 v1 pad1 g32 conv",
      ]
    ),
    // Chen et al., arXiv:1706.05587.
    (
      "deeplab",
      [
        "n16 c256 h28 w28 k256 r3 s3 u1 v1 pad2 dil2 conv",
        "n16 c512 h28 w28 k256 r3 s3 u1 v1 pad4 dil4 conv",
        "n16 c256 h33 w33 k256 r3 s3 u1 v1 pad12 dil12 conv",
      ]
    ),
    // Yu & Koltun, ICLR 2016.
    (
      "context",
      [
        "n16 c32 h64 w64 k32 r3 s3 u1 v1 pad2 dil2 conv",
        "n16 c32 h64 w64 k32 r3 s3 u1 v1 pad4 dil4 conv",
      ]
    ),
    // Zhang et al., CVPR 2018.
    (
      "shufflenet",
      [
        "n32 c240 h28 w28 k60 r1 s1 u1 v1 pad0 g3 conv",
        "n32 c60 h28 w28 k240 r1 s1 u1 v1 pad0 g3 conv",
        "n32 c480 h14 w14 k120 r1 s1 u1 v1 pad0 g3 conv",
        "n32 c96 h14 w14 k384 r1 s1 u1 v1 pad0 g8 conv",
        "n32 c768 h7 w7 k192 r1 s1 u1 v1 pad0 g8 conv",
      ]
    ),
  ]

  /// A case for each pass of each layer.
  static func cases() throws -> [KernelCase] {
    try layers.flatMap { net, layers in
      try layers.enumerated().flatMap { index, layer in
        try [Problem.Pass.forward, .backwardData, .backwardFilter].map { pass in
          let problem = try Problem("\(layer) \(pass.rawValue)")
          return KernelCase(name: "\(net).\(index)/\(pass.rawValue)", problem: problem, family: net)
        }
      }
    }
  }
}
