#include "common/mail/domain.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <idn2.h>
#include <memory>

#include "common/mail/charset.hpp"

namespace millrace::mail {
namespace {

constexpr std::size_t name_max = 253;  // RFC 1035 §2.3.4, as text without the trailing dot
constexpr std::size_t label_max = 63;
constexpr std::string_view ipv6_tag = "IPv6:";

struct Free {
    void operator()(char* p) const { idn2_free(p); }
};

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool starts_with_ipv6_tag(std::string_view text) {
    return lower(text.substr(0, ipv6_tag.size())) == lower(ipv6_tag);
}

std::unexpected<Failure> no_domain(std::string_view why) {
    return failure(Fault::invalid, "not a domain name: " + std::string(why));
}

// Whether a label claims to be an A-label, or will be one.
bool needs_idna(std::string_view domain) {
    return !is_ascii(domain) || domain.starts_with("xn--") ||
           domain.find(".xn--") != std::string_view::npos;
}

}  // namespace

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

bool is_host_name(std::string_view domain) {
    if (domain.empty() || domain.size() > name_max) return false;
    while (true) {
        const std::size_t dot = domain.find('.');
        const std::string_view label = domain.substr(0, dot);
        if (label.empty() || label.size() > label_max || label.front() == '-' ||
            label.back() == '-')
            return false;
        if (!std::ranges::all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-'; }))
            return false;
        if (dot == std::string_view::npos) return true;
        domain.remove_prefix(dot + 1);
    }
}

Result<std::string> ascii_domain(std::string_view domain) {
    if (domain.starts_with('[')) {
        if (!is_literal(domain)) return no_domain("the address literal holds no address");
        if (!starts_with_ipv6_tag(domain.substr(1))) return std::string(domain);
        return "[" + std::string(ipv6_tag) + lower(domain.substr(1 + ipv6_tag.size()));
    }
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::string name = lower(domain);
    // Four bytes at most for a character; what is longer cannot become a name of 253 octets.
    if (name.size() > 4 * name_max) return no_domain("it is too long");
    if (needs_idna(name)) {
        if (!is_utf8(name)) return no_domain("it is neither ASCII nor UTF-8");
        if (name.find('\0') != std::string::npos) return no_domain("it holds a zero byte");
        char* converted = nullptr;
        const int status = idn2_to_ascii_8z(
            name.c_str(), &converted, IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
        const std::unique_ptr<char, Free> owner(converted);
        if (status != IDN2_OK) return no_domain(idn2_strerror(status));
        name = lower(converted);
        if (name.ends_with('.')) name.pop_back();
    }
    if (!is_host_name(name)) return no_domain("a label is empty, too long or has other characters");
    return name;
}

std::string unicode_domain(std::string_view domain) {
    if (!needs_idna(lower(domain)) || domain.find('\0') != std::string_view::npos ||
        !is_utf8(domain))
        return std::string(domain);
    char* converted = nullptr;
    const int status =
        idn2_to_unicode_8z8z(std::string(domain).c_str(), &converted, IDN2_NONTRANSITIONAL);
    const std::unique_ptr<char, Free> owner(converted);
    return status == IDN2_OK ? std::string(converted) : std::string(domain);
}

std::string_view literal_address(std::string_view domain) {
    if (domain.size() < 3 || !domain.starts_with('[') || !domain.ends_with(']')) return {};
    std::string_view inner = domain.substr(1, domain.size() - 2);
    const bool ipv6 = starts_with_ipv6_tag(inner);
    if (ipv6) inner.remove_prefix(ipv6_tag.size());
    unsigned char address[16];
    const std::string text(inner);
    if (text.find('\0') != std::string::npos) return {};
    return inet_pton(ipv6 ? AF_INET6 : AF_INET, text.c_str(), address) == 1 ? inner
                                                                            : std::string_view{};
}

bool is_literal(std::string_view domain) {
    return !literal_address(domain).empty();
}

}  // namespace millrace::mail
