import Foundation

/// Whether Scripts/sanitize runs the tests.
public let isSanitized = ProcessInfo.processInfo.environment["HOURGLASS_SANITIZER"] != nil
