#include "common/handover/handover.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

// Goal: whatever stands in the field, reading it is total, and what is believed is exactly what
// sign() writes. Bytes that no key has signed are never believed; so the input is read as it is,
// and then signed with our key as if the milter had written it, which is how the parser behind the
// signature is reached.
namespace {

using namespace millrace;
using namespace millrace::handover;

void expect(bool good, const char* fault, std::string_view bytes) {
    if (good) return;
    std::fprintf(stderr, "%s:\n%.*s\n", fault, static_cast<int>(bytes.size()), bytes.data());
    std::abort();
}

std::string without_blanks(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Key key = "0123456789abcdef0123456789abcdef";
    expect(!read(text, key), "unsigned bytes are believed", text);

    const std::string canonical = without_blanks(text);
    const auto told = read(seal(canonical, key), key);
    if (!told) return 0;
    expect(sign(*told, key) == seal(canonical, key), "two spellings of one handover", canonical);
    const auto again = read(field_value(*told, key), key);
    expect(again && *again == *told, "its own writing is read as another", canonical);
    expect(!read(seal(canonical, key), "another key of thirty-two bytes!"), "any key", canonical);
    return 0;
}
