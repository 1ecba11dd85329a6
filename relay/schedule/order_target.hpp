#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace millrace::relay {

/// By what an operator singles out mail.
enum class OrderAxis : std::uint8_t {
    all,            ///< everything
    destination,    ///< the recipient's domain
    site,           ///< the receiving server: a set of MX hosts
    provider,       ///< who runs it
    source,         ///< one of our own addresses
    account,        ///< who handed the mail in
    sender_domain,  ///< the domain of MAIL FROM
};
constexpr std::size_t order_axes = 7;

/// What an order is about, as people write it:
///
///     gmail.com  destination:gmail.com   mail for a domain
///     site:mx1.example,mx2.example       … for a set of MX hosts, as `millrace destinations` has
///     it provider:google                    … for everything behind one provider 192.0.2.1
///     source:192.0.2.1        … that leaves from one of our addresses (or by its name)
///     account:shop                       … of one account
///     from:example.com  from:<>          … of one sender domain; of the null sender
///     all
struct OrderTarget {
    OrderAxis axis = OrderAxis::destination;
    std::string name;  ///< normalised: lower-case A-labels, a canonical address; empty for `all`
    auto operator<=>(const OrderTarget&) const = default;

    /// With the word before it: `destination:gmail.com`, `all`. parse(text()) gives it back.
    std::string text() const;
    /// As short as people write it: `gmail.com`, `192.0.2.1`, `account:shop`.
    std::string short_text() const;

    /// Failure (invalid): what it should look like, in one sentence.
    static Result<OrderTarget> parse(std::string_view text);
};

/// Whether a word means a target rather than a message: it begins with one of the words above, or
/// is a domain or an IP address. A Message-ID or an address (with its `@`) and a queue id are none.
bool looks_like_target(std::string_view word);

}  // namespace millrace::relay
