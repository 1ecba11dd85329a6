#include "relay/shaping/blame.hpp"

namespace millrace::relay {

std::string_view to_string(Blame blame) {
    switch (blame) {
        case Blame::none:
            return "none";
        case Blame::connections:
            return "connections";
        case Blame::rate:
            return "rate";
        case Blame::messages_per_connection:
            return "messages-per-connection";
        case Blame::recipient:
            return "recipient";
        case Blame::greylist:
            return "greylist";
        case Blame::sender:
            return "sender";
        case Blame::content:
            return "content";
        case Blame::reputation:
            return "reputation";
        case Blame::blocklist:
            return "blocklist";
        case Blame::compliance:
            return "compliance";
        case Blame::receiver_ill:
            return "receiver-ill";
        case Blame::tls:
            return "tls";
    }
    return "none";
}

std::optional<Blame> blame_named(std::string_view word) {
    for (unsigned i = 0; i < blame_count; ++i) {
        auto const blame = static_cast<Blame>(i);
        if (to_string(blame) == word) return blame;
    }
    return std::nullopt;
}

bool is_limit(Blame blame) {
    return blame == Blame::connections || blame == Blame::rate ||
           blame == Blame::messages_per_connection;
}

}  // namespace millrace::relay
