// Any reply as the answer to EHLO: read without harm, and the order of the lines does not matter
// for what is offered.

#include "common/smtp/ehlo.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace millrace::smtp;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    Reply reply{250, "", {}};
    while (true) {
        const std::size_t end = text.find('\n');
        reply.lines.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    const Capabilities found = parse_ehlo(reply);
    MILLRACE_CHECK(found.rcpt_max.value_or(1) > 0 && found.mail_max.value_or(1) > 0);
    MILLRACE_CHECK(found.size || found.size_max == 0);
    for (const std::string& mechanism : found.auth)
        MILLRACE_CHECK(!mechanism.empty() && found.offers_auth(mechanism));

    std::reverse(reply.lines.begin() + 1, reply.lines.end());
    const Capabilities turned = parse_ehlo(reply);
    MILLRACE_CHECK(found.pipelining == turned.pipelining && found.starttls == turned.starttls &&
                   found.chunking == turned.chunking && found.size == turned.size &&
                   found.auth.size() == turned.auth.size() && found.name == turned.name);
    return 0;
}
