import Foundation
import TestSupport
import Testing

@testable import HourglassTraining

/// How many workers and threads run when nobody says, and how many cores there are.
@Suite struct ParallelPlanTests {
  @Test(
    arguments: [
      // asked workers, asked threads, shards, cores -> workers, threads
      (nil, nil, 16, 1, 1, 1),
      (nil, nil, 16, 2, 2, 1),
      (nil, nil, 16, 16, 16, 1),
      (nil, nil, 4, 16, 4, 4),
      (nil, nil, 1, 6, 1, 6),
      (nil, nil, 3, 8, 3, 2),
      (nil, 2, 16, 8, 4, 2),
      (nil, 8, 16, 2, 1, 8),
      (3, nil, 16, 8, 3, 2),
      (8, nil, 16, 2, 8, 1),
      (5, 7, 1, 1, 5, 7),
    ] as [(Int?, Int?, Int, Int, Int, Int)])
  func defaultsStayWithinTheCoresAndWishesAreObeyed(
    _ workers: Int?, _ threads: Int?, _ shards: Int, _ cores: Int, _ wantedWorkers: Int, _ wantedThreads: Int
  ) {
    let plan = ParallelPlan(workers: workers, threads: threads, shards: shards, cores: cores)
    #expect(plan == ParallelPlan(workers: wantedWorkers, threads: wantedThreads))
  }

  @Test func defaultsNeverExceedTheCores() {
    for shards in 1...20 {
      for cores in 1...40 {
        let plan = ParallelPlan(shards: shards, cores: cores)
        #expect(plan.workers * plan.threads <= cores && plan.workers <= shards && plan.workers >= 1)
        #expect(plan.workers == min(shards, cores))
      }
    }
  }

  @Test func thereIsACore() { #expect((1...ProcessInfo.processInfo.processorCount).contains(GrantedCores.count)) }

  /// A tree of files as the kernel shows it, the process's line in it, and the cores that it grants.
  @Test(
    arguments: [
      ("0::/\n", ["cpu.max": "200000 100000\n"], 2),
      ("0::/\n", ["cpu.max": "max 100000\n"], nil),
      ("0::/\n", ["cpu.max": "150000 100000\n"], 2),
      ("0::/\n", ["cpu.max": "1000 100000\n"], 1),
      ("0::/\n", [:], nil),
      ("0::/\n", ["cpu.max": "garbage\n"], nil),
      ("0::/\n", ["cpu.max": ""], nil),
      ("", ["cpu.max": "200000 100000\n"], nil),
      ("0::/a/b\n", ["a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"], 3),
      ("0::/a/b\n", ["a/b/cpu.max": "400000 100000\n", "a/cpu.max": "800000 100000\n"], 4),
      // A container that sees its own group as the root, under the path it has outside.
      ("0::/system.slice/docker-1.scope\n", ["cpu.max": "100000 50000\n"], 2),
      ("4:cpu,cpuacct:/\n1:name=x:/\n", ["cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"], 3),
      ("4:cpu,cpuacct:/\n", ["cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"], nil),
      ("4:cpu:/\n", ["cpu/cpu.cfs_quota_us": "300000\n"], nil),
      (
        "4:cpuacct,cpu:/docker/1\n",
        ["cpu/docker/1/cpu.cfs_quota_us": "250000\n", "cpu/docker/1/cpu.cfs_period_us": "50000\n"], 5
      ),
      ("3:memory:/\n", ["cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"], nil),
      // Both versions mounted: the smaller counts.
      (
        "4:cpu:/\n0::/\n",
        ["cpu.max": "600000 100000\n", "cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"], 2
      ),
    ] as [(String, [String: String], Int?)])
  func theQuotaOfACgroupIsRead(_ membership: String, _ files: [String: String], _ cores: Int?) throws {
    try withTemporaryFolder { folder in
      let root = folder + "/cgroup"
      try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
      for (name, text) in files {
        let url = URL(filePath: root).appending(path: name)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: false, encoding: .utf8)
      }
      try membership.write(toFile: folder + "/membership", atomically: false, encoding: .utf8)
      #expect(GrantedCores.quota(root: root, membership: folder + "/membership") == cores)
    }
  }

  @Test func aMachineWithoutCgroupsHasNoQuota() {
    #expect(GrantedCores.quota(root: "/nonexistent", membership: "/nonexistent/membership") == nil)
  }
}
