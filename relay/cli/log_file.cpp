#include "relay/cli/log_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <vector>
#include <zlib.h>

namespace millrace::relay {
namespace {

constexpr std::size_t buffer_size = 256 << 10;

/// Closed at the end of the scope.
struct Packed {
    gzFile file;
    ~Packed() { ::gzclose(file); }
};

/// Packings that are not gzip begin like this; their bytes hold no lines.
std::string_view other_packing(std::string_view begin) {
    using std::string_view;
    if (begin.starts_with(string_view("\xFD"
                                      "7zXZ",
                                      5)))
        return "xzcat";
    if (begin.starts_with("BZh")) return "bzcat";
    if (begin.starts_with(string_view("\x28\xB5\x2F\xFD", 4))) return "zstdcat";
    return {};
}

}  // namespace

Result<LogFileRead> read_log_file(const std::string& path,
                                  const std::function<void(std::string_view)>& on_line,
                                  const std::function<void(std::uint64_t)>& on_progress) {
    int const fd = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return failure(Fault::not_found, fmt::format("{}: {}", path, std::strerror(errno)));
    }
    Packed const in{::gzdopen(fd, "rb")};
    if (in.file == nullptr) {
        ::close(fd);
        return failure(Fault::unavailable, fmt::format("{}: no memory", path));
    }
    ::gzbuffer(in.file, buffer_size);
    LogFileRead read;
    std::vector<char> buffer(buffer_size);
    std::size_t held = 0;   // bytes of an unfinished line
    bool too_long = false;  // its beginning was given
    while (true) {
        auto const got =
            ::gzread(in.file, buffer.data() + held, static_cast<unsigned>(buffer.size() - held));
        if (got < 0) {
            int code = 0;
            auto const* const why = ::gzerror(in.file, &code);
            return failure(
                Fault::corrupt,
                fmt::format("{}: {}", path, code == Z_ERRNO ? std::strerror(errno) : why));
        }
        std::string_view rest(buffer.data(), held + static_cast<std::size_t>(got));
        if (read.bytes == 0) {
            if (auto const tool = other_packing(rest); !tool.empty()) {
                return failure(Fault::corrupt,
                               fmt::format("{0} is packed in another way: {1} {0} | millrace "
                                           "learn -",
                                           path,
                                           tool));
            }
        }
        read.bytes += static_cast<std::uint64_t>(got);
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            ++read.lines;
            if (!too_long) on_line(rest.substr(0, end));
            too_long = false;
            rest.remove_prefix(end + 1);
        }
        if (got == 0) {
            if (!rest.empty() && !too_long) {
                ++read.lines;
                on_line(rest);
            }
            return read;
        }
        if (rest.size() == buffer.size() || too_long) {
            if (!too_long) on_line(rest);
            too_long = true;
            rest = {};
        }
        held = rest.size();
        if (held > 0) std::memmove(buffer.data(), rest.data(), held);
        on_progress(read.bytes);
    }
}

}  // namespace millrace::relay
