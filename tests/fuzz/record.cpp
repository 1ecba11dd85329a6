// Any bytes as a stored record: refused with a sentence, or read; and what is read is written the
// same way again. The first byte chooses the kind; half of the runs get a right checksum, so that
// the fields behind it are reached.

#include "relay/spool/record.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.hpp"
#include "relay/spool/crc32c.hpp"

namespace {

using namespace millrace;
using namespace millrace::relay;

std::string sealed(std::string bytes) {
    auto const crc = crc32c(bytes);
    for (unsigned shift = 0; shift < 32; shift += 8)
        bytes += static_cast<char>(crc >> shift);
    return bytes;
}

template <class T, class Decode>
void judge(const Result<T>& read, Decode again) {
    if (!read) {
        MILLRACE_CHECK(read.error().fault == Fault::corrupt && !read.error().detail.empty());
        return;
    }
    auto const back = again(encode(*read));
    MILLRACE_CHECK(back && *back == *read);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    if ((data[0] & 0x80U) == 0) bytes = sealed(std::move(bytes));
    MessageId const id{42};
    switch (data[0] % 5) {
        case 0:
            judge(decode_envelope(id, bytes), [id](auto const& b) { return decode_envelope(id, b); });
            break;
        case 1:
            judge(decode_work({id, 3}, bytes), [id](auto const& b) { return decode_work({id, 3}, b); });
            break;
        case 2:
            judge(decode_event(7, bytes), [](auto b) { return decode_event(7, b); });
            break;
        case 3:
            judge(decode_ledger(bytes), [](auto b) { return decode_ledger(b); });
            break;
        default: {
            auto const body = decode_body(bytes);
            if (body) MILLRACE_CHECK(encode_body(**body) == bytes);
        }
    }
    return 0;
}
