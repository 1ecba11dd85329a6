// Any bytes after 354: the end is where a search for CRLF.CRLF finds it, whole and in pieces; what
// was taken is written and taken again without a change, unless its line ends were broken.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.hpp"
#include "common/smtp/bdat_reader.hpp"
#include "common/smtp/data_reader.hpp"
#include "common/smtp/data_writer.hpp"

namespace {

using namespace millrace;
using namespace millrace::smtp;

struct Taken {
    bool done;
    std::size_t left;
    std::uint64_t size;
    bool bare_cr, bare_lf, zero;
    std::string message;
    bool operator==(const Taken&) const = default;
};

Taken take(std::string_view bytes, std::size_t step, std::uint64_t limit) {
    DataReader reader(limit);
    while (!bytes.empty() && !reader.done()) {
        std::string_view part = bytes.substr(0, step);
        const std::size_t before = part.size();
        reader.feed(part);
        MILLRACE_CHECK(reader.held() <= limit);
        bytes.remove_prefix(before - part.size());
    }
    return {reader.done(),
            bytes.size(),
            reader.size(),
            reader.bare_cr(),
            reader.bare_lf(),
            reader.zero_byte(),
            reader.take()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::size_t step = data[0] % 16U + 1;
    const std::uint64_t limit = data[1] < 128 ? 1U << 20 : data[1];
    const Taken whole = take(bytes, bytes.size() + 1, limit);
    MILLRACE_CHECK(whole == take(bytes, step, limit));

    const std::string text = "\r\n" + std::string(bytes);
    const std::size_t end = text.find("\r\n.\r\n");
    MILLRACE_CHECK(whole.done == (end != std::string::npos));
    if (whole.done) MILLRACE_CHECK(bytes.size() - whole.left == end + 3);
    if (!whole.done || whole.size > limit) return 0;

    std::string wire, piece;
    DataWriter writer(whole.message);
    while (writer.next(piece, step))
        wire += piece;
    const Taken again = take(wire, wire.size() + 1, 1U << 21);
    MILLRACE_CHECK(again.done && again.left == 0 && !again.bare_cr && !again.bare_lf);
    const bool clean = !whole.bare_cr && !whole.bare_lf && !whole.zero;
    MILLRACE_CHECK(clean == has_clean_lines(whole.message));
    if (clean) MILLRACE_CHECK(again.message == whole.message);
    return 0;
}
