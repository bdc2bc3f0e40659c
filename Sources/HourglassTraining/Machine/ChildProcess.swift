import Glibc
import HourglassData

/// Another program, started and waited for.
package enum ChildProcess {
  /// Runs a program that PATH has. It reads nothing.
  ///
  /// - Parameters:
  ///   - command: the program and its arguments.
  ///   - environment: all variables of the program, whose names and values are UTF-8.
  ///   - errors: the file that gets what it writes to standard error; nil where that stays where this program writes.
  /// - Returns: what it wrote, and its exit status or the number of the signal that ended it.
  /// - Throws: a `ProcessError` where it cannot be started.
  package static func run(
    _ command: [String], environment: [String: String], errors: String? = nil
  ) throws(ProcessError) -> (output: [UInt8], status: Int32) {
    func check(_ code: Int32) throws(ProcessError) {
      guard code != 0 else { return }
      throw ProcessError(
        reason: "\(command[0]): wanted a program in PATH that can be started, found: \(String(cString: strerror(code)))"
      )
    }
    var ends: [Int32] = [0, 0]
    try check(pipe(&ends) == 0 ? 0 : errno)
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    if let errors {
      posix_spawn_file_actions_addopen(
        &actions, STDERR_FILENO, systemPath(errors), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_addclose(&actions, ends[0])
    posix_spawn_file_actions_addclose(&actions, ends[1])

    let arguments = command.map { strdup(systemPath($0)) } + [nil]
    let texts = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { (arguments + texts).forEach { free($0) } }
    var child = pid_t()
    let refusal = posix_spawnp(&child, command[0], &actions, nil, arguments, texts)
    close(ends[1])
    try check(refusal)

    var output: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(ends[0], &room, room.count)
      if count > 0 { output += room.prefix(count) } else if count == 0 || errno != EINTR { break }
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    // The low bits are the signal, and the next eight the exit status.
    return (output, status & 0x7f != 0 ? status & 0x7f : status >> 8 & 0xff)
  }
}
