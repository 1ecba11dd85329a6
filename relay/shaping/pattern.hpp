#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/shaping.hpp"
#include "relay/shaping/reply_text.hpp"
#include "relay/shaping/typed.hpp"

namespace millrace::relay {

/// One compiled pattern for replies.
class Pattern {
  public:
    /// provider: whose it is; `general` for everybody's. Failure (invalid): FILE:LINE, what is
    /// wrong with the rule taken alone, what to do.
    static Result<Pattern> compile(const config::ReplyRule& rule, const std::string& provider);

    bool matches(const ReplyText& reply) const;
    /// What a reply that matches means. sender_domain: lower-case; may be empty.
    Typed meaning(const ReplyText& reply, std::string_view sender_domain) const;

    /// `google: 421 4.7.28 "spf domain"`.
    const std::string& label() const { return label_; }
    const config::Place& place() const { return place_; }
    const std::vector<std::string>& examples() const { return examples_; }
    /// `google`, `general`.
    const std::string& provider() const { return provider_; }

  private:
    struct Codes {
        unsigned from = 400;
        unsigned to = 599;
    };
    /// `x` is no value.
    struct Enhanced {
        std::optional<unsigned> klass, subject;
        unsigned from = 0;
        unsigned to = 999;
    };
    static Result<Codes> read_codes(const std::string& text);
    static Result<Enhanced> read_enhanced(const std::string& text);

    std::vector<std::string> phrases_;
    Codes codes_;
    std::optional<Enhanced> enhanced_;
    Typed typed_;
    bool axis_given_ = false;
    bool defers_ = false;
    std::string label_;
    std::string provider_;
    config::Place place_;
    std::vector<std::string> examples_;
};

/// An example or a logged reply in one text: `421 4.7.28 Gmail has …`, `421-4.7.0 …`. No value when
/// it does not begin with a code of a refusal.
std::optional<ReplyText> read_reply(std::string_view line);

}  // namespace millrace::relay
