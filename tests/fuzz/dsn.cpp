// Notifications from anything: addresses, replies and originals are bytes of strangers. The result
// is 7-bit (but for a sender in UTF-8), its lines fit, and no field of theirs becomes one of ours.

#include "relay/feedback/dsn.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/mail/charset.hpp"
#include "relay/deliver/outcome.hpp"
#include "relay/deliver/seven_bit.hpp"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace millrace;
    using namespace millrace::relay;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    auto const take = [&rest] {
        auto const part = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        return std::string(part);
    };
    Envelope envelope;
    envelope.sender = "s@example.com";
    envelope.envid = take();
    envelope.message_id = take();
    envelope.ret = size % 2 == 0 ? "FULL" : "HDRS";
    DsnRecipient recipient;
    recipient.recipient.address = take();
    recipient.recipient.orcpt = take();
    recipient.recipient.notify = {true, true, true, true, true};
    recipient.recipient.notify.never = false;
    recipient.action = static_cast<DsnAction>(size % 4);
    recipient.status = take();
    recipient.diagnostic = take();
    recipient.remote_host = take();
    recipient.reason = take();

    DsnContext context;
    context.hostname = "relay.example";
    auto const dsn = make_dsn(envelope, rest, std::span(&recipient, 1), context);
    require(dsn.has_value());
    auto const& text = *dsn->body;
    require(mail::is_ascii(text));
    require(text.ends_with("--\r\n"));
    std::size_t line = 0;
    for (auto end = text.find("\r\n"); end != std::string::npos; end = text.find("\r\n", line)) {
        require(end - line <= 998);
        line = end + 2;
    }

    auto const reply = one_line(recipient.diagnostic);
    require(reply.size() <= 512 && mail::is_utf8(reply));
    require(one_line(reply) == reply);
    auto const converted = to_seven_bit(rest);
    require(!converted || mail::is_ascii(*converted));
    return 0;
}
