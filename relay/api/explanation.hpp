#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace millrace::relay {

/// The answer to `why` about one recipient of a message, a destination or a provider: one sentence
/// that a stranger understands, the facts behind it as more of them, and the same as values for
/// programs. Times of zero or `never`: there is none.
struct Explanation {
    enum class About { message, destination, provider };
    struct Line {
        std::string about;  ///< `limit`, `said`, `place`, `next`, …
        std::string text;   ///< one sentence
    };
    About about = About::message;
    MessageId id;                   ///< of a message
    std::string recipient, sender;  ///< of a message; an empty sender: a notice
    std::string message_id, mta_queue_id, account, klass;
    std::string destination, provider, source;
    std::string state;   ///< waiting, sending, held, delivered, bounced, expired, removed, …
    std::string answer;  ///< the one sentence
    std::vector<Line> lines;
    std::vector<Line> history;  ///< `about`: the time of day; oldest first

    std::string cause;   ///< as to_string(Blame), of what holds it up or ended it; empty: none
    std::string said;    ///< the reply that taught us the limit, or that ended it
    Time learned{};      ///< when
    Time until = never;  ///< the limit's end
    Time next_attempt = never, gives_up = never, expected = never, finished = never;
    std::optional<std::uint64_t> before;  ///< messages that go before it, about
};

/// A reason to look after something, which has a beginning and an end.
struct Alert {
    std::string kind;    ///< blocked, compliance-hold, late, unknown-users
    std::string object;  ///< provider, `DOMAIN at PROVIDER`, destination
    bool critical = false;
    Time since{};
    std::string text;  ///< one sentence
};

}  // namespace millrace::relay
