import HourglassData
import HourglassTraining

/// How well maps of scores find the pixels that masks mark as anomalous.
///
/// ROC-AUC and average precision are taken over the pixels of all images together. The overlap of regions is the mean,
/// over all 8-connected regions of the masks, of the part of a region whose score is at least a threshold; as a curve
/// over the false positive rate of the pixels outside, it is integrated by trapezoids from 0 to 0.3 and divided by 0.3.
///
/// Up to `most` pixels the numbers are exact. Beyond, scores count as equal whose first 16 bits as a float are equal,
/// which is within 1/128 of their size.
///
/// Cost: 8 bytes a pixel and a sort; beyond `most` 2 MiB.
/// Source: Bergmann et al., "The MVTec anomaly detection dataset", IJCV 2021.
public struct PixelMetrics {
  /// The number of pixels added.
  public private(set) var count = 0
  /// The number of 8-connected regions of the masks added.
  public private(set) var regions = 0
  /// Whether scores are compared in full, which they are up to `most` pixels.
  public private(set) var isExact = true
  /// One over the number of pixels of each region.
  private var shares: [Double] = []
  /// Each pixel's score, ordered like whole numbers, and below it 1 + its region, or 0 outside of regions.
  private var pixels: [UInt64] = []
  /// The pixels by the first 16 bits of their scores, where the numbers are not exact.
  private var groups: [Group] = []
  private let most: Int

  /// The false positive rate up to which the overlap of regions is integrated.
  public static let overlapLimit = 0.3

  /// The pixels of one score.
  private struct Group {
    var normal = 0
    var anomalous = 0
    /// The sum over the anomalous pixels of one over the number of pixels of their region.
    var overlap = 0.0
  }

  /// Begins without an image.
  ///
  /// - Parameter most: the number of pixels whose scores are kept in full.
  public init(most: Int = 1 << 25) { self.most = min(most, GrantedMemory.available / 16) }

  /// Adds an image.
  ///
  /// - Parameters:
  ///   - map: the scores, H x W, finite.
  ///   - mask: whether each pixel is anomalous, H x W.
  public mutating func add(_ map: [Float], mask: [Bool], height: Int, width: Int) {
    precondition(map.count == height * width && mask.count == map.count, "a map or mask is not \(height) x \(width)")
    let (numbers, sizes) = Self.regions(mask, height: height, width: width)
    for (score, number) in zip(map, numbers) {
      pixels.append(Self.ordered(score) << 32 | UInt64(number == 0 ? 0 : regions + number))
    }
    shares += sizes.map { 1 / Double($0) }
    (regions, count) = (regions + sizes.count, count + map.count)
    guard count > most else { return }
    if isExact { groups = [Group](repeating: Group(), count: 1 << 16) }
    isExact = false
    for pixel in pixels { add(pixel, to: &groups[Int(pixel >> 48)]) }
    pixels.removeAll()
  }

  private func add(_ pixel: UInt64, to group: inout Group) {
    let region = Int(pixel & 0xffff_ffff)
    if region == 0 {
      group.normal += 1
    } else {
      group.anomalous += 1
      group.overlap += shares[region - 1]
    }
  }

  /// The area under the ROC curve, the average precision, and the integrated overlap of regions, each in [0, 1]. Nil
  /// where there is no pixel of one of the two kinds.
  public func areas() -> (rocAUC: Double, averagePrecision: Double, regionOverlap: Double)? {
    let groups = isExact ? exactGroups() : groups.reversed()
    let all = groups.reduce(into: Group()) { sum, group in
      sum.normal += group.normal
      sum.anomalous += group.anomalous
    }
    guard all.normal > 0, all.anomalous > 0 else { return nil }
    var (roc, precision, overlap) = (0.0, 0.0, 0.0)
    var (seen, hits, found) = (0.0, 0.0, 0.0)
    let (normal, anomalous) = (Double(all.normal), Double(all.anomalous))
    for group in groups where group.normal + group.anomalous > 0 {
      let (fresh, before) = (Double(group.normal), hits)
      hits += Double(group.anomalous)
      roc += fresh * (before + hits) / 2
      precision += Double(group.anomalous) * hits / (hits + seen + fresh)
      let rate = (seen: seen / normal, now: (seen + fresh) / normal)
      let gain = group.overlap / Double(regions)
      if rate.seen < Self.overlapLimit, fresh > 0 {
        // The last trapezoid is cut off at the limit.
        let part = min(1, (Self.overlapLimit - rate.seen) / (rate.now - rate.seen))
        overlap += part * (rate.now - rate.seen) * (found + part * gain / 2)
      }
      seen += fresh
      found += gain
    }
    // Rounding must not lead beyond the whole.
    return (roc / (normal * anomalous), min(1, precision / anomalous), min(1, overlap / Self.overlapLimit))
  }

  /// The pixels by score, the greatest score first.
  private func exactGroups() -> [Group] {
    var result: [Group] = []
    var last: UInt64?
    for pixel in pixels.sorted(by: >) {
      if pixel >> 32 != last { result.append(Group()) }
      last = pixel >> 32
      add(pixel, to: &result[result.count - 1])
    }
    return result
  }

  /// The bits of a float, ordered like its value. Zero has one form.
  private static func ordered(_ value: Float) -> UInt64 {
    let bits = (value + 0).bitPattern
    return UInt64(bits >> 31 == 0 ? bits | 1 << 31 : ~bits)
  }

  /// The number of the 8-connected region of each pixel of a mask, from 1 on, or 0 outside of regions, H x W; and the
  /// number of pixels of each region.
  static func regions(_ mask: [Bool], height: Int, width: Int) -> (numbers: [Int], sizes: [Int]) {
    var numbers = [Int](repeating: 0, count: mask.count)
    var sizes: [Int] = []
    var open: [Int] = []
    for first in mask.indices where mask[first] && numbers[first] == 0 {
      sizes.append(0)
      numbers[first] = sizes.count
      open.append(first)
      while let pixel = open.popLast() {
        sizes[sizes.count - 1] += 1
        let (row, column) = (pixel / width, pixel % width)
        for y in max(0, row - 1)...min(height - 1, row + 1) {
          for x in max(0, column - 1)...min(width - 1, column + 1)
          where mask[y * width + x] && numbers[y * width + x] == 0 {
            numbers[y * width + x] = sizes.count
            open.append(y * width + x)
          }
        }
      }
    }
    return (numbers, sizes)
  }
}
