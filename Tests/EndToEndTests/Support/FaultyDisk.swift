import Foundation
import TestSupport
import Testing

/// A library that has calls of the system fail in a program, on files of it, while a test wants it.
///
/// It is loaded before the C library, so that SQLite calls it; a file says which calls fail, on which files and how.
final class FaultyDisk {
    /// Calls of the system.
    enum Call: String {
        case write = "w"
        case sync = "s"
        case read = "r"
        /// Of no file: name any.
        case socket = "n"
    }

    private let rules: URL
    private let library: URL

    /// Variables for the program that is to suffer.
    var environment: [String: String] { ["LD_PRELOAD": library.path, "FAULTY_DISK": rules.path] }

    /// Builds the library in a folder.
    init(in folder: URL) throws {
        rules = folder.appending(path: "faults")
        library = folder.appending(path: "faulty.so")
        let source = folder.appending(path: "faulty.c")
        try Self.source.write(to: source, atomically: false, encoding: .utf8)
        try PreloadedLibrary.build(source.path, to: library.path)
    }

    /// Has a call fail on files whose path ends so, until `mend`.
    func fail(_ calls: [Call], on suffix: String, with error: Int32) throws {
        let new = rules.path + ".new"
        let text = calls.map { "\($0.rawValue) \(suffix) \(error)\n" }.joined()
        try text.write(toFile: new, atomically: false, encoding: .utf8)
        try #require(rename(new, rules.path) == 0)
    }

    /// Lets every call work again.
    func mend() throws {
        try FileManager.default.removeItem(at: rules)
    }

    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <sys/types.h>
        #include <unistd.h>

        static int fails(char call, int descriptor) {
            const char *name = getenv("FAULTY_DISK");
            char text[512], link[64], path[512];
            if (!name) return 0;
            int file = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
            if (file < 0) return 0;
            ssize_t count = syscall(SYS_read, file, text, sizeof text - 1);
            syscall(SYS_close, file);
            if (count <= 0) return 0;
            text[count] = 0;
            snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
            ssize_t length = call == 'n' ? 0 : readlink(link, path, sizeof path - 1);
            if (length < 0) return 0;
            path[length] = 0;
            for (char *line = text; line && *line; line = strchr(line, '\\n'), line += line != 0) {
                char kind, suffix[64];
                int error;
                if (sscanf(line, "%c %63s %d", &kind, suffix, &error) != 3 || kind != call) continue;
                size_t end = strlen(suffix);
                if (call == 'n') { errno = error; return 1; }
                if ((size_t)length >= end && !strcmp(path + length - end, suffix)) { errno = error; return 1; }
            }
            return 0;
        }

        ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) { return fails('w', d) ? -1 : syscall(SYS_pwrite64, d, b, n, o); }
        ssize_t pwrite(int d, const void *b, size_t n, off_t o) { return fails('w', d) ? -1 : syscall(SYS_pwrite64, d, b, n, o); }
        ssize_t write(int d, const void *b, size_t n) { return fails('w', d) ? -1 : syscall(SYS_write, d, b, n); }
        ssize_t pread64(int d, void *b, size_t n, off64_t o) { return fails('r', d) ? -1 : syscall(SYS_pread64, d, b, n, o); }
        ssize_t pread(int d, void *b, size_t n, off_t o) { return fails('r', d) ? -1 : syscall(SYS_pread64, d, b, n, o); }
        int socket(int d, int t, int p) { return fails('n', -1) ? -1 : syscall(SYS_socket, d, t, p); }
        int fdatasync(int d) { return fails('s', d) ? -1 : syscall(SYS_fdatasync, d); }
        int fsync(int d) { return fails('s', d) ? -1 : syscall(SYS_fsync, d); }
        """
}
