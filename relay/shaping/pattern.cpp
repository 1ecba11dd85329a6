#include "relay/shaping/pattern.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/config/nearest.hpp"

namespace millrace::relay {

namespace {

constexpr std::size_t phrases_max = 8;
constexpr std::size_t phrase_max = 256;
constexpr std::size_t examples_max = 16;

std::unexpected<Failure> fault(std::string detail) {
    return failure(Fault::invalid, std::move(detail));
}

template <class T>
std::string words(unsigned count) {
    std::vector<std::string_view> all;
    for (unsigned i = 0; i < count; ++i) {
        all.push_back(to_string(static_cast<T>(i)));
    }
    return fmt::format("{}", fmt::join(all, ", "));
}

std::string unknown(std::string_view what, const std::string& word, const std::string& known) {
    return fmt::format("unknown {} \"{}\": one of {}", what, word, known);
}

/// Signs of a regular expression in what is a phrase: `\d+`, `.*`, `[0-9]`, `(a|b)`.
bool is_expression(std::string_view phrase) {
    for (std::string_view const sign : {"\\", ".*", ".+", "[0-9", "[a-z", "(?", "[^"}) {
        if (phrase.find(sign) != phrase.npos) return true;
    }
    return phrase.starts_with('^') || phrase.ends_with('$') || phrase.ends_with('*');
}

Result<std::vector<std::string>> read_phrases(const std::vector<std::string>& says) {
    if (says.size() > phrases_max) {
        return fault(fmt::format("says has more than {} texts", phrases_max));
    }
    std::vector<std::string> phrases;
    for (auto const& text : says) {
        if (is_expression(text)) {
            return fault(fmt::format(
                "says \"{}\" is written like a regular expression and can never match: texts are "
                "compared as they stand; give the words around the part that changes, as a list",
                text));
        }
        auto phrase = plain_text(text);
        auto const first = phrase.find_first_not_of(' ');
        if (first == phrase.npos || phrase.size() > phrase_max) {
            return fault(fmt::format("says \"{}\" must have 1 to {} characters", text, phrase_max));
        }
        phrase = phrase.substr(first, phrase.find_last_not_of(' ') - first + 1);
        if (phrase.size() < 3) {
            return fault(fmt::format(
                "says \"{}\" is too short to mean anything: give three characters or more", text));
        }
        phrases.push_back(std::move(phrase));
    }
    return phrases;
}

std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value > 999) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

Result<Pattern::Codes> Pattern::read_codes(const std::string& text) {
    if (text.empty()) return Codes{};
    if (text == "4xx") return Codes{400, 499};
    if (text == "5xx") return Codes{500, 599};
    auto const code = number(text);
    if (!code || *code < 400 || *code > 599) {
        return fault(fmt::format(
            "code \"{}\" is no refusal and can never match: write \"421\", \"4xx\" or \"5xx\"",
            text));
    }
    return Codes{*code, *code};
}

Result<Pattern::Enhanced> Pattern::read_enhanced(const std::string& text) {
    auto const wrong = [&] {
        return fault(
            fmt::format("enhanced \"{}\" is no enhanced code and can never match: write "
                        "\"4.7.28\", \"x.7.28\", \"5.7.606-649\" or \"4.3.x\"",
                        text));
    };
    std::string_view rest = text;
    std::string_view parts[3];
    for (unsigned i = 0; i < 3; ++i) {
        auto const dot = i < 2 ? rest.find('.') : rest.size();
        if (dot == rest.npos || dot == 0) return wrong();
        parts[i] = rest.substr(0, dot);
        rest.remove_prefix(std::min(rest.size(), dot + 1));
    }
    Enhanced enhanced;
    if (parts[0] != "x") {
        enhanced.klass = number(parts[0]);
        if (enhanced.klass != 4 && enhanced.klass != 5) return wrong();
    }
    enhanced.subject = number(parts[1]);
    if (!enhanced.subject) return wrong();
    if (parts[2] == "x") return enhanced;
    auto const dash = parts[2].find('-');
    auto const from = number(parts[2].substr(0, dash));
    auto const to = dash == parts[2].npos ? from : number(parts[2].substr(dash + 1));
    if (!from || !to || *from > *to) return wrong();
    enhanced.from = *from;
    enhanced.to = *to;
    return enhanced;
}

Result<Pattern> Pattern::compile(const config::ReplyRule& rule, const std::string& provider) {
    Pattern pattern;
    auto const wrong = [&](const std::string& detail) {
        return fault(rule.place.text() + detail);
    };
    if (rule.says.empty() && rule.enhanced.empty()) {
        return wrong("the pattern needs says or enhanced: a code alone means nothing certain");
    }
    auto phrases = read_phrases(rule.says);
    if (!phrases) return wrong(phrases.error().detail);
    auto const codes = read_codes(rule.code);
    if (!codes) return wrong(codes.error().detail);
    if (!rule.enhanced.empty()) {
        auto const enhanced = read_enhanced(rule.enhanced);
        if (!enhanced) return wrong(enhanced.error().detail);
        bool const one_code = codes->from == codes->to;
        auto const klass = enhanced->klass.value_or(codes->from / 100);
        if (!one_code && (klass < codes->from / 100 || klass > codes->to / 100)) {
            return wrong(
                fmt::format("code \"{}\" and enhanced \"{}\" contradict each other: no "
                            "reply is both; a receiver that really answers so needs the "
                            "exact code",
                            rule.code,
                            rule.enhanced));
        }
        pattern.enhanced_ = *enhanced;
    }
    auto const blame = blame_named(rule.type);
    if (!blame) return wrong(unknown("type", rule.type, words<Blame>(blame_count)));
    pattern.typed_ = Typed::of(*blame);
    if (!rule.axis.empty()) {
        auto const axis = axis_named(rule.axis);
        if (!axis) return wrong(unknown("axis", rule.axis, words<Axis>(axis_count)));
        if (!can_fall_on(*blame, *axis)) {
            return wrong(fmt::format(
                "type \"{}\" cannot fall on axis \"{}\": leave the axis out, or change the type",
                rule.type,
                rule.axis));
        }
        pattern.typed_.axis = *axis;
        pattern.axis_given_ = true;
    }
    if (rule.pause && !pauses(*blame)) {
        return wrong(fmt::format(
            "a pause has no effect with type \"{}\", which pauses nothing: leave it out",
            rule.type));
    }
    if (rule.escalate && !pauses(*blame)) {
        return wrong(
            fmt::format("escalate has no effect with type \"{}\", which pauses nothing: leave it "
                        "out",
                        rule.type));
    }
    if (rule.defer) {
        bool const permanent = std::ranges::any_of(
            rule.example, [](const std::string& example) { return example.starts_with('5'); });
        if (!is_limit(*blame)) {
            return wrong(fmt::format(
                "defer is for limits (connections, rate, messages-per-connection) and not for type "
                "\"{}\": leave it out, or change the type",
                rule.type));
        }
        if (!permanent) {
            return wrong("defer has no effect on replies that begin with 4, and no example begins "
                         "with 5: give one, or leave it out");
        }
    }
    if (rule.pause) pattern.typed_.pause = *rule.pause;
    if (rule.escalate) pattern.typed_.escalate = *rule.escalate;
    if (rule.example.empty() || rule.example.size() > examples_max) {
        return wrong(fmt::format(
            "the pattern needs 1 to {} examples: replies as the receiver sent them, such as "
            "example = \"421 4.7.0 Too many connections\"",
            examples_max));
    }
    pattern.phrases_ = *std::move(phrases);
    pattern.codes_ = *codes;
    pattern.defers_ = rule.defer;
    pattern.provider_ = provider;
    pattern.place_ = rule.place;
    pattern.examples_ = rule.example;
    pattern.label_ = provider + ":";
    if (!rule.code.empty()) pattern.label_ += " " + rule.code;
    if (!rule.enhanced.empty()) pattern.label_ += " " + rule.enhanced;
    for (auto const& phrase : pattern.phrases_) {
        pattern.label_ += fmt::format(" \"{}\"", phrase);
    }
    pattern.typed_.rule = pattern.label_;
    return pattern;
}

bool Pattern::matches(const ReplyText& reply) const {
    if (reply.code < codes_.from || reply.code > codes_.to) return false;
    if (enhanced_) {
        // A code that contradicts the basic one is believed only where the rule names both.
        bool const both = codes_.from == codes_.to && enhanced_->klass;
        auto const* const code = both && reply.enhanced ? &*reply.enhanced : reply.believed();
        if (code == nullptr || (enhanced_->klass && code->klass != *enhanced_->klass) ||
            code->subject != enhanced_->subject || code->detail < enhanced_->from ||
            code->detail > enhanced_->to) {
            return false;
        }
    }
    return std::ranges::all_of(phrases_,
                               [&](const auto& phrase) { return says(reply.said, phrase); });
}

Typed Pattern::meaning(const ReplyText& reply, std::string_view sender_domain) const {
    auto typed = typed_;
    bool const open =
        !axis_given_ && (typed.blame == Blame::rate || typed.blame == Blame::reputation ||
                         typed.blame == Blame::blocklist);
    if (open) {
        auto const named = axis_in(reply.said, sender_domain);
        if (named && can_fall_on(typed.blame, *named)) typed.axis = *named;
    }
    typed.defers = defers_ && reply.code >= 500;
    if (pauses(typed.blame) && (reply.code < 500 || typed.defers)) {
        typed.pause = std::max(typed.pause, asked_pause(reply.said));
    }
    return typed;
}

std::optional<ReplyText> read_reply(std::string_view line) {
    auto const code = number(line.substr(0, 3));
    if (!code || *code < 400 || *code > 599) return std::nullopt;
    auto rest = line.substr(3);
    if (!rest.empty() && rest.front() != ' ' && rest.front() != '-') return std::nullopt;
    if (!rest.empty()) rest.remove_prefix(1);
    auto const word = rest.substr(0, rest.find(' '));
    if (enhanced_code(word)) return read_reply(*code, word, rest.substr(word.size()));
    return read_reply(*code, {}, rest);
}

}  // namespace millrace::relay
