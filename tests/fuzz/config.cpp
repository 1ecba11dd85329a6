#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/config/load.hpp"

// libconfig 1.5 forgets the string it was reading when it meets a syntax error: some bytes, once
// for each refused file, in the library.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libconfig";
}

// Any text is either refused with a place and a reason, or means settings that survive being
// printed and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string const text(reinterpret_cast<const char*>(data), size);
    if (text.find("@include") != std::string::npos) {
        return 0;  // would read files of this machine
    }
    auto const parsed = millrace::config::parse(text, "fuzz.conf");
    if (!parsed) {
        if (!parsed.error().detail.starts_with("fuzz.conf:")) {
            std::abort();
        }
        return 0;
    }
    auto const printed = millrace::config::print(**parsed);
    auto const again = millrace::config::parse(printed, "printed");
    if (!again || millrace::config::print(**again) != printed) {
        std::abort();
    }
    return 0;
}
