#include "relay/spool/high_water.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "relay/spool/record_bytes.hpp"

namespace millrace::relay {
namespace {

constexpr std::uint8_t version = 1;
// Numbers take a fixed width here, so that the file never changes its size and one write never
// crosses a sector.
constexpr std::size_t size = 1 + 3 * 8 + 4;

}  // namespace

HighWaterFile::~HighWaterFile() {
    if (file_ >= 0) ::close(file_);
}

std::optional<HighWater> HighWaterFile::read() {
    int const file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return std::nullopt;
    char bytes[size];
    auto const got = ::pread(file, bytes, size, 0);
    ::close(file);
    if (got != static_cast<ssize_t>(size)) return std::nullopt;
    RecordReader in({bytes, size}, version, "high-water");
    auto const number = [&] {
        return static_cast<std::uint64_t>(in.time().time_since_epoch().count());
    };
    HighWater out;
    out.sequence = number();
    out.last_event = number();
    out.last_id = MessageId{number()};
    if (!in.done()) return std::nullopt;
    return out;
}

Result<void> HighWaterFile::write(const HighWater& mark) {
    if (file_ < 0) {
        file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    RecordWriter out(version);
    for (auto const number : {mark.sequence, mark.last_event, mark.last_id.value}) {
        out.time(Time(Duration(static_cast<std::int64_t>(number))));
    }
    auto const bytes = std::move(out).done();
    if (file_ < 0 ||
        ::pwrite(file_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()) ||
        ::fdatasync(file_) != 0) {
        return failure(Fault::unavailable, "cannot write " + path_ + ": " + std::strerror(errno));
    }
    return {};
}

}  // namespace millrace::relay
