#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/mail/header_block.hpp"
#include "tests/unit/policy/properties.hpp"

// Goal: whatever the message and whatever the edits, the bytes that come out are the model's
// fields, and the body is the body that went in. The first byte chooses line ends, the next eight
// choose edits.
namespace {

using namespace millrace;
using namespace millrace::policy;

constexpr const char* extra[] = {"Sender", "X-tag", "Subject"};

std::vector<Edit> chosen_edits(const std::uint8_t* choice, const mail::HeaderBlock& block) {
    std::vector<Edit> edits;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned what = choice[2 * i];
        const unsigned where = choice[2 * i + 1];
        Edit edit;
        edit.kind = static_cast<Edit::Kind>(what % 4);
        edit.value = (what & 64) != 0 ? " v" : " one\n two";
        edit.name = extra[where % 3];
        if (edit.kind == Edit::Kind::replace || edit.kind == Edit::Kind::remove) {
            if (block.fields.empty()) continue;
            edit.name = block.fields[where % block.fields.size()].name;
            edit.nth = 1 + where % 3;  // may name a field that is not there
        }
        edits.push_back(edit);
    }
    return edits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t head = 9;
    if (size < head) return 0;
    const mail::LineEnd line_end = (data[0] & 1) != 0 ? mail::LineEnd::crlf : mail::LineEnd::lf;
    const std::string message(reinterpret_cast<const char*>(data) + head, size - head);
    const mail::HeaderBlock block = mail::parse_header_block(message, line_end);
    const std::vector<Edit> edits = chosen_edits(data + 1, block);
    const auto model = apply(block.fields, edits);
    auto fault = test::wrong_apply(block.fields, edits, model);
    if (!fault) fault = test::wrong_block(message, edits, line_end);
    if (fault) {
        std::fprintf(stderr, "%s\n", fault->c_str());
        std::abort();
    }
    return 0;
}
