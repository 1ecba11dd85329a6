#include "relay/intake/attribution.hpp"

#include <ranges>

#include "common/mail/header_block.hpp"

namespace millrace::relay {

namespace {

constexpr std::size_t fields_max = 10;

// The clock may have been set between the milter's writing and now, and a queue's life time runs
// from about then.
constexpr Duration slack = std::chrono::hours(24);

std::string_view address_of(const handover::Handover& handed) {
    std::string_view client = handed.client;
    if (client.starts_with("IPv6:")) client.remove_prefix(5);  // Sendmail
    return client;
}

// Empty: it is about this message.
std::string objection(const handover::Handover& handed, const Witness& witness) {
    const Duration age =
        std::chrono::seconds(unix_seconds(witness.wall)) - std::chrono::seconds(handed.time);
    if (age > witness.age_max + slack || age < -slack) return "it is too old, or from the future";
    if (!witness.queue_id.empty() && handed.queue_id != witness.queue_id) {
        return "the queue id is another: a content filter has queued it anew, or it is a copy";
    }
    // An MTA that rewrites senders (sender_canonical_maps, masquerade_domains) does so behind the
    // milter; its queue id still says that it is this message. Who it is from stays true, what was
    // judged may not (see believe()).
    if (witness.queue_id.empty() && handed.sender != handover::digest_of(witness.sender)) {
        return "the sender is another, and no XFORWARD tells the queue id: it may be a copy";
    }
    return {};
}

}  // namespace

Attribution attribute(std::string_view message, const Witness& witness) {
    Attribution out;
    const auto block = mail::parse_header_block(message, mail::LineEnd::crlf);
    std::size_t looked_at = 0;
    for (const mail::HeaderField& field : block.fields | std::views::reverse) {
        if (!mail::same_name(field.name, handover::field_name)) continue;
        if (++looked_at > fields_max) break;
        auto handed = handover::read(field.value, witness.key);
        std::string why = handed ? objection(*handed, witness) : handed.error();
        if (why.empty()) return {*std::move(handed), {}};
        if (out.invalid.empty()) out.invalid = std::move(why);
    }
    return out;
}

std::string account_of(const handover::Handover& handed) {
    if (!handed.account.empty()) return handed.account;
    if (handed.origin == policy::Origin::smtp) return "forwarded";
    if (handed.origin == policy::Origin::local || handed.client.empty()) return "local";
    return std::string(address_of(handed));
}

std::string client_text(const handover::Handover& handed) {
    if (handed.client.empty()) return "local";
    return "unknown [" + std::string(address_of(handed)) + ']';
}

}  // namespace millrace::relay
