// Any bytes as a date, alone and behind a Received field: no crash, and a date that was read prints
// to one that reads the same.

#include "common/mail/date.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.hpp"
#include "common/base/time.hpp"
#include "common/mail/received.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace millrace;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    mail::received_date(text);
    const auto seconds = mail::parse_date(text);
    // The time line of the project holds the years 1678 to 2261.
    if (!seconds || *seconds < -2'000'000'000 || *seconds > 9'000'000'000) return 0;
    MILLRACE_CHECK(mail::parse_date(to_rfc5322(from_unix_millis(*seconds * 1000))) == seconds);
    return 0;
}
