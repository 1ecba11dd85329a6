#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.hpp"

namespace millrace {

/// A message's name for ever: 42 bits of milliseconds, 6 of node, 15 of sequence; sorts by arrival.
struct MessageId {
    std::uint64_t value = 0;
    auto operator<=>(const MessageId&) const = default;

    /// 13 characters of `0-9B-DF-HJ-NP-TV-Z`: no vowels (no words), no lower case, nothing that a
    /// reader of mail logs would not take for a queue id; safe in file names; sorts like the value.
    std::string text() const;
    static std::optional<MessageId> parse(std::string_view text);
    /// When the id was made, to the millisecond.
    Time made_at() const;
};

/// Hands out ids that never repeat and never go back, even if the clock does.
/// Thread: the owner's.
class MessageIds {
  public:
    /// node: 0..63. last: the greatest id known to be in use (from the spool), or zero.
    explicit MessageIds(unsigned node, MessageId last = {});
    MessageId next(Time now);

  private:
    std::uint64_t node_;
    std::uint64_t last_;
};

}  // namespace millrace

template <>
struct std::hash<millrace::MessageId> {
    std::size_t operator()(const millrace::MessageId& id) const noexcept {
        return std::hash<std::uint64_t>{}(id.value);
    }
};
