#include "common/base/id.hpp"

#include <algorithm>

#include "common/base/check.hpp"

namespace millrace {
namespace {

// What every reader of Postfix's logs takes for a queue id, its short and its long form alike.
constexpr std::string_view alphabet = "0123456789BCDFGHJKLMNPQRSTVWXYZ";
constexpr std::uint64_t base = alphabet.size();
constexpr unsigned node_bits = 6;
constexpr unsigned sequence_bits = 15;
constexpr unsigned low_bits = node_bits + sequence_bits;
constexpr std::size_t text_length = 13;  // 31^13 > 2^64

}  // namespace

std::string MessageId::text() const {
    std::string out(text_length, '0');
    auto rest = value;
    for (auto at = out.rbegin(); at != out.rend(); ++at) {
        *at = alphabet[rest % base];
        rest /= base;
    }
    return out;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
    if (text.size() != text_length) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (char const c : text) {
        auto const digit = alphabet.find(c);
        if (digit == std::string_view::npos || value > (UINT64_MAX - digit) / base) {
            return std::nullopt;
        }
        value = value * base + digit;
    }
    return MessageId{value};
}

Time MessageId::made_at() const {
    return from_unix_millis(static_cast<std::int64_t>(value >> low_bits));
}

MessageIds::MessageIds(unsigned node, MessageId last) : node_(node), last_(last.value) {
    MILLRACE_CHECK(node < (1U << node_bits));
}

MessageId MessageIds::next(Time now) {
    // Within one millisecond the sequence counts on; when it is used up, or the clock went back,
    // the millisecond part of the last id simply moves ahead of the clock.
    constexpr std::uint64_t sequence_mask = (1ULL << sequence_bits) - 1;
    auto const ms = static_cast<std::uint64_t>(std::max<std::int64_t>(unix_millis(now), 0));
    auto const fresh = (ms << low_bits) | (node_ << sequence_bits);
    if (fresh > last_) {
        last_ = fresh;
    } else if ((last_ & sequence_mask) != sequence_mask) {
        last_ = (last_ & ~(((1ULL << node_bits) - 1) << sequence_bits)) | (node_ << sequence_bits);
        ++last_;
    } else {
        last_ = (((last_ >> low_bits) + 1) << low_bits) | (node_ << sequence_bits);
    }
    return MessageId{last_};
}

}  // namespace millrace
