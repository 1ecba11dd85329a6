// Any bytes as a receiving server's replies: the same replies whole and in pieces; a reply that was
// read is written and read again as the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.hpp"
#include "common/smtp/enhanced_code.hpp"
#include "common/smtp/reply_parser.hpp"

namespace {

using namespace millrace;
using namespace millrace::smtp;

struct Heard {
    std::vector<Reply> replies;
    std::string fault;
    bool operator==(const Heard&) const = default;
};

Heard hear(std::string_view bytes, std::size_t step) {
    ReplyParser parser;
    Heard heard;
    while (!bytes.empty()) {
        std::string_view part = bytes.substr(0, step);
        bytes.remove_prefix(part.size());
        while (true) {
            const auto state = parser.feed(part);
            if (state == ReplyParser::State::broken) {
                heard.fault = parser.fault();
                return heard;
            }
            if (state == ReplyParser::State::more) break;
            heard.replies.push_back(parser.take());
        }
        MILLRACE_CHECK(part.empty());
    }
    return heard;
}

bool is_printable(const Reply& reply) {
    for (const std::string& line : reply.lines) {
        // Blanks behind the enhanced code are not told from those at the text's start.
        if (line.size() > 400 || line.starts_with(' ')) return false;
        for (const char c : line) {
            if (c < ' ' || c > '~') return false;
        }
    }
    return true;
}

void judge(const Reply& reply) {
    MILLRACE_CHECK(reply.code >= 200 && reply.code <= 599);
    MILLRACE_CHECK(!reply.lines.empty() && reply.lines.size() <= reply_lines_max);
    if (!reply.enhanced.empty()) {
        const auto code = EnhancedCode::parse(reply.enhanced);
        MILLRACE_CHECK(code && code->klass == reply.code / 100);
    }
    const std::string written = format(reply);
    const Heard again = hear(written, written.size());
    MILLRACE_CHECK(again.replies.size() == 1 && again.replies[0].code == reply.code);
    // A line that has a code of its own within the text reads it as the reply's.
    if (is_printable(reply) && !reply.enhanced.empty()) {
        MILLRACE_CHECK(again.replies[0] == reply);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Heard whole = hear(bytes, bytes.size() + 1);
    MILLRACE_CHECK(whole == hear(bytes, data[0] % 16U + 1));
    for (const Reply& reply : whole.replies)
        judge(reply);
    return 0;
}
