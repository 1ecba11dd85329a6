// Rule files and replies from anywhere: a file is refused with a place and a reason or makes a
// book; a refusal means the same with blanks at its ends and in capitals, and never more than its
// type can.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "relay/shaping/rule_book.hpp"

extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libconfig";  // 1.5 forgets the string it was reading at a syntax error
}

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace millrace;
    using namespace millrace::relay;
    std::string const text(reinterpret_cast<const char*>(data), size);
    auto book = shipped_book();
    if (text.find("@include") == std::string::npos) {  // would read files of this machine
        auto const rules = config::parse_shaping(text, "fuzz.conf");
        if (!rules) {
            require(rules.error().detail.starts_with("fuzz.conf:"));
        } else if (auto own = RuleBook::compile(*rules, {})) {
            book = *own;
        } else {
            require(own.error().detail.starts_with("fuzz.conf:"));
        }
    }
    auto const domain = text.substr(0, text.find(' '));
    for (auto const* provider : {"", "google", "outlook", "yahoo", "qq"}) {
        for (unsigned const code : {421U, 451U, 550U}) {
            auto const typed = book->type(provider, code, {}, text, domain);
            require(can_fall_on(typed.blame, typed.axis));
            require(typed.pause >= Duration{} && typed.pause <= std::chrono::hours(24 * 7));
            if (text.size() < 4'000) {  // beyond 4 KiB nothing is read
                require(typed == book->type(provider, code, {}, " " + text, domain));
            }
        }
    }
    book->provider_of(domain, std::vector{domain, text}, {});
    read_reply(text);
    return 0;
}
