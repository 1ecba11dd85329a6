#include "common/smtp/xforward.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "common/mail/domain.hpp"
#include "common/smtp/parameters.hpp"
#include "common/smtp/xtext.hpp"

namespace millrace::smtp {

namespace {

struct Attribute {
    std::string_view keyword;
    std::string Forwarded::* place;
};

constexpr auto attributes = std::to_array<Attribute>({{"name", &Forwarded::name},
                                                      {"addr", &Forwarded::address},
                                                      {"port", &Forwarded::port},
                                                      {"proto", &Forwarded::protocol},
                                                      {"helo", &Forwarded::helo},
                                                      {"ident", &Forwarded::ident},
                                                      {"source", &Forwarded::source}});

std::optional<std::string> read_value(std::string_view value) {
    auto text = decode_xtext(value);
    if (!text || text->size() > 255) return std::nullopt;
    const bool printable = std::ranges::all_of(
        *text, [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 127; });
    if (!printable) return std::nullopt;
    const std::string word = mail::lower(*text);
    if (word == "[unavailable]" || word == "[tempunavail]") text->clear();
    return text;
}

}  // namespace

std::expected<Forwarded, Reply> parse_xforward(std::string_view argument, Forwarded known) {
    const auto malformed = [] {
        return std::unexpected(reply(501, "5.5.4", "Syntax: XFORWARD attribute=value ..."));
    };
    const std::string spaced = " " + std::string(argument);
    ParameterReader reader(spaced);
    if (argument.empty()) return malformed();
    while (true) {
        Parameter parameter;
        const auto read = reader.next(parameter);
        if (read == ParameterReader::Read::end) break;
        if (read == ParameterReader::Read::malformed || !parameter.value) return malformed();
        const auto attribute =
            std::ranges::find(attributes, mail::lower(parameter.keyword), &Attribute::keyword);
        auto value = read_value(*parameter.value);
        if (attribute == attributes.end() || !value) return malformed();
        known.*(attribute->place) = *std::move(value);
    }
    if (mail::lower(known.address).starts_with("ipv6:")) known.address.erase(0, 5);
    return known;
}

}  // namespace millrace::smtp
