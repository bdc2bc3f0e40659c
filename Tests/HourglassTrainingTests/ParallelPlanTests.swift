import Foundation
import HourglassData
import HourglassModels
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
      // Rounds of shards: 12 workers would take 2 each with 1 thread, 4 workers take 4 with 3 threads.
      (nil, nil, 16, 11, 11, 1),
      (nil, nil, 16, 12, 4, 3),
      (nil, nil, 16, 20, 16, 1),
      (nil, nil, 16, 24, 8, 3),
      (nil, nil, 16, 48, 16, 3),
      (nil, nil, 16, 128, 16, 8),
    ] as [(Int?, Int?, Int, Int, Int, Int)])
  func defaultsStayWithinTheCoresAndWishesAreObeyed(
    _ workers: Int?, _ threads: Int?, _ shards: Int, _ cores: Int, _ wantedWorkers: Int, _ wantedThreads: Int
  ) {
    let plan = ParallelPlan(
      workers: workers, threads: threads, shards: shards, cores: cores, environment: OpenMPEnvironment([:]))
    #expect(plan == ParallelPlan(workers: wantedWorkers, threads: wantedThreads))
  }

  /// On every machine of up to 128 cores, also for the flagships' 16 shards.
  @Test(arguments: 1...20) func defaultsUseTheCoresAndNeverExceedThem(_ shards: Int) {
    for cores in 1...128 {
      let plan = ParallelPlan(shards: shards, cores: cores, environment: OpenMPEnvironment([:]))
      #expect(plan.workers * plan.threads <= cores && plan.workers <= shards && plan.workers >= 1)
      #expect(2 * plan.workers * plan.threads > cores, "\(plan) leaves most of \(cores) cores idle")
      // Threads only where workers alone leave cores idle.
      if cores <= shards && shards % cores == 0 { #expect(plan == ParallelPlan(workers: cores, threads: 1)) }
    }
  }

  @Test func theFlagshipsHaveTheseShards() throws {
    for model in [convAE28, convVAE28, convVAE64] { #expect(try ExecutionPlan(model, batchSize: 128).shards == 16) }
  }

  /// What orders sums: a recipe.json of an earlier version that does not say its shards goes on with theirs.
  @Test func shardsStayWithTheRecipe() throws {
    func decoded(_ recipe: Recipe, without name: String = "") throws -> Recipe {
      var fields = try #require(
        try JSONSerialization.jsonObject(with: Data(JSONText.line(recipe).utf8)) as? [String: Any])
      #expect(fields["shards"] as? Int == recipe.shards)
      fields[name] = nil
      return try JSONDecoder().decode(Recipe.self, from: JSONSerialization.data(withJSONObject: fields))
    }
    for (batchSize, shards) in [(100, 13), (128, 16), (256, 16), (512, 64), (2048, 128)] {
      let recipe = Recipe(model: convVAE28, batchSize: batchSize)
      #expect(recipe.shards == shards && recipe.defaultShards == shards)
      #expect(try decoded(recipe).shards == shards)
      #expect(try decoded(recipe, without: "shards").shards == min(shards, 16))
      var free = recipe
      free.freeBits = 0.1
      #expect(free.defaultShards == min(shards, 16))
    }
    #expect(try decoded(Recipe(model: convVAE28, batchSize: 2048, shards: 20)).shards == 20)
  }

  /// The more workers there are, the finer slices they share, but for gradients that are clipped.
  @Test(arguments: [nil, Float(0.1)]) func manyWorkersChangeNoBit(_ clipNorm: Float?) throws {
    let data = try TestImages.waves(batchSizes: [44, 44, 13], shape: TinyModels.wide.input)
    let results = try [1, 3, 40].map { workers in
      let step = try startedStep(
        TinyModels.wide, batchSize: 44, shards: 44, parallel: ParallelPlan(workers: workers, threads: 1),
        clipNorm: clipNorm, data: data)
      try step.run(batchSizes: [44, 44, 13])
      let slices = [1, workers].map { TrainingStep.slices(of: step.plan, workers: $0).count }
      #expect(workers == 40 ? slices[1] > 2 * slices[0] : slices[1] == slices[0])
      return step.parameters.bits
    }
    #expect(results[1] == results[0] && results[2] == results[0])
  }

  @Test func eachWorkerIsWokenOnceByAnEarlierOne() {
    for workers in 1...200 {
      let woken = (0..<workers).flatMap { worker in
        let others = WorkerTeam.wakes(worker, of: workers)
        #expect(others.allSatisfy { $0 > worker } && others.count <= 4)
        return Array(others)
      }
      #expect(woken.sorted() == Array(1..<max(1, workers)))
    }
  }

  @Test func aLargeTeamRunsEachPhaseOnAllWorkers() throws {
    for workers in [1, 2, 5, 6, 22, 60] {
      let counts = AlignedBuffer<Int>(count: workers)
      let team = try WorkerTeam(ParallelPlan(workers: workers, threads: 1)) { worker, phase in
        counts.pointer[worker] += phase
      }
      for phase in 1...40 {
        team.run(phase: phase)
        #expect(counts.elements.allSatisfy { $0 == phase * (phase + 1) / 2 }, "\(workers) workers, phase \(phase)")
      }
    }
  }

  @Test(
    arguments: [
      // environment, asked workers, asked threads, cores -> workers, threads of 16 shards
      (["OMP_NUM_THREADS": "2"], nil, nil, 8, 4, 2),
      (["OMP_NUM_THREADS": "1"], nil, nil, 64, 16, 1),
      (["OMP_NUM_THREADS": "4,2"], nil, nil, 8, 2, 4),
      (["OMP_NUM_THREADS": " 3 , 2"], nil, nil, 8, 2, 3),
      (["OMP_NUM_THREADS": "16"], nil, nil, 8, 1, 16),
      (["OMP_NUM_THREADS": "2"], 3, nil, 16, 3, 2),
      (["OMP_NUM_THREADS": "2"], nil, 1, 8, 8, 1),
      (["OMP_NUM_THREADS": "2"], 5, 3, 8, 5, 3),
      (["OMP_THREAD_LIMIT": "2"], nil, nil, 8, 2, 1),
      (["OMP_THREAD_LIMIT": "64"], nil, nil, 8, 8, 1),
      (["OMP_THREAD_LIMIT": "6", "OMP_NUM_THREADS": "2"], nil, nil, 8, 3, 2),
      (["OMP_THREAD_LIMIT": "2"], 4, 3, 8, 4, 3),
      (["OMP_NUM_THREADS": ""], nil, nil, 8, 8, 1),
      (["OMP_NUM_THREADS": "0"], nil, nil, 8, 8, 1),
      (["OMP_NUM_THREADS": "many"], nil, nil, 8, 8, 1),
      (["OMP_NUM_THREADS": ",2"], nil, nil, 8, 8, 1),
      (["OMP_NUM_THREADS": "99999999999999999999"], nil, nil, 8, 8, 1),
      (["OMP_THREAD_LIMIT": "-2"], nil, nil, 8, 8, 1),
    ] as [([String: String], Int?, Int?, Int, Int, Int)])
  func theEnvironmentIsRespectedAndFlagsWin(
    _ variables: [String: String], _ workers: Int?, _ threads: Int?, _ cores: Int, _ wantedWorkers: Int,
    _ wantedThreads: Int
  ) {
    let environment = OpenMPEnvironment(variables)
    let plan = ParallelPlan(
      workers: workers, threads: threads, shards: 16, cores: cores, environment: environment)
    #expect(plan == ParallelPlan(workers: wantedWorkers, threads: wantedThreads))
  }

  @Test(arguments: ["KMP_BLOCKTIME", "OMP_WAIT_POLICY"]) func theEnvironmentMaySayHowThreadsWait(_ variable: String) {
    #expect(OpenMPEnvironment(["OMP_NUM_THREADS": "2"]).leavesWaiting)
    #expect(OpenMPEnvironment([variable: ""]).leavesWaiting)
    #expect(!OpenMPEnvironment([variable: variable == "KMP_BLOCKTIME" ? "0" : "passive"]).leavesWaiting)
  }

  @Test func nonsenseInTheEnvironmentIsIgnoredWithOneSentence() {
    #expect(OpenMPEnvironment(["OMP_NUM_THREADS": "4,2", "OMP_THREAD_LIMIT": "8"]).warning == nil)
    #expect(OpenMPEnvironment(["OMP_NUM_THREADS": "", "OMP_THREAD_LIMIT": ""]).warning == nil)
    #expect(
      OpenMPEnvironment(["OMP_NUM_THREADS": "two", "OMP_THREAD_LIMIT": "0"]).warning
        == "OMP_NUM_THREADS: wanted 1 to 1024 threads, found two; "
        + "OMP_THREAD_LIMIT: wanted 1 to 1024 threads, found 0; ignored")
  }

  /// What the runtime would end or crash the process over, or complain about, does not reach it; what it understands
  /// does.
  @Test(
    arguments: [
      "OMP_NUM_THREADS=", "OMP_NUM_THREADS=4,", "OMP_STACKSIZE=0", "OMP_STACKSIZE=x", "OMP_STACKSIZE=64G",
      "KMP_STACKSIZE=1", "KMP_STACKSIZE=99999999999", "GOMP_STACKSIZE=0", "OMP_STACKSIZE=-8M", "KMP_FORKJOIN_BARRIER=",
      "KMP_CPUINFO_FILE=/nonexistent", "KMP_GTID_MODE=", "KMP_STACKOFFSET=99999999999", "KMP_FORCE_REDUCTION=x",
      "KMP_AFFINITY=zzz", "OMP_PLACES={}", "OMP_PLACES={99999999999999999999}", "KMP_HW_SUBSET=0c", "KMP_BLOCKTIME=-7",
      "OMP_PROC_BIND=perhaps", "OMP_DYNAMIC=x", "GOMP_CPU_AFFINITY=99999", "KMP_ALL_THREADS=0", "OMP_WAIT_POLICY=\n",
      "OMP_THREAD_LIMIT=1\n", "KMP_NOBODY_KNOWS=1",
    ])
  func nonsenseDoesNotReachTheRuntime(_ setting: String) {
    let words = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let found = OpenMPEnvironment([words[0]: words[1], "OMPI_COMM_WORLD_SIZE": "1", "PATH": ""])
    #expect(found.ignored == [words[0]] && (found.warning == nil) == words[1].isEmpty)
    #expect(found.warning?.contains("\(words[0]): wanted ") ?? true)
  }

  @Test(
    arguments: [
      "OMP_NUM_THREADS=4, 2", "OMP_STACKSIZE=8M", "OMP_STACKSIZE=16384", "KMP_STACKSIZE=8388608", "OMP_PROC_BIND=TRUE",
      "OMP_PROC_BIND=close,spread", "OMP_PLACES=cores(2)", "OMP_PLACES={0,1},{2:2:1}:4:2", "KMP_BLOCKTIME=infinite",
      "KMP_AFFINITY=granularity=fine,compact,1,0", "GOMP_CPU_AFFINITY=0-3 5", "KMP_DUPLICATE_LIB_OK=TRUE",
      "OMP_WAIT_POLICY=PASSIVE", "OMP_SCHEDULE=dynamic,4", "KMP_HW_SUBSET=1s,4c,1t", "OMP_DISPLAY_ENV=verbose",
      "OMP_TOOL_LIBRARIES=/usr/lib/libarcher.so", "OMP_MAX_ACTIVE_LEVELS=1", "OMP_THREAD_LIMIT=64",
    ])
  func whatTheRuntimeUnderstandsReachesIt(_ setting: String) {
    let words = setting.split(separator: "=", maxSplits: 1).map(String.init)
    let found = OpenMPEnvironment([words[0]: words[1]])
    #expect(found.ignored.isEmpty && found.warning == nil)
  }

  /// What a file may hold and a caller may have set.
  @Test(arguments: [(0, 1), (1, 0), (-1, 1), (1, .min), (.max, .max), (1025, 1), (1024, 1024), (5, 1000)])
  func aDivisionThatNoMachineRunsIsRefused(_ workers: Int, _ threads: Int) throws {
    var parallel = ParallelPlan(workers: 1, threads: 1)
    (parallel.workers, parallel.threads) = (workers, threads)
    #expect(throws: ThreadError.self) { try parallel.check() }
    #expect(throws: ThreadError.self) { try Inference(model: TinyModels.autoencoder, parallel: parallel) }
    #expect(PlannedMemory(training: try ExecutionPlan(convAE28, batchSize: 8), parallel: parallel).total <= .max)
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
      #expect(GrantedCores.quota(ControlGroup(root: root, membership: folder + "/membership")) == cores)
    }
  }

  @Test func aMachineWithoutCgroupsHasNoQuota() {
    let group = ControlGroup(root: "/nonexistent", membership: "/nonexistent/membership")
    #expect(GrantedCores.quota(group) == nil && group.memory == nil)
  }
}
