#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.hpp"

namespace millrace::relay {

/// Why two sites count as one provider.
struct Evidence {
    std::string site, other;
    std::string what;  ///< `both are reached at 192.0.2.1`
    Time since{};
    bool operator==(const Evidence&) const = default;
};

/// What was found out of one site and outlives a restart, as one line of text for a note in the
/// spool. Pure.
struct SiteNote {
    std::string site;
    std::string provider;            ///< found, not declared; empty: nothing was found
    Evidence why;                    ///< of that; no `other`: it is named after the site itself
    bool alone = false;              ///< split off: it is joined to nobody
    std::vector<std::string> marks;  ///< addresses and families by which others are joined to it
    Duration greylist{};             ///< how long it lets strangers wait; zero: not known
    Time used{};                     ///< when mail for it was last routed, to the day
    bool operator==(const SiteNote&) const = default;

    std::string text() const;
    /// Total on any bytes: what cannot be read is a note of nothing.
    static SiteNote read(const std::string& site, std::string_view text);
};

}  // namespace millrace::relay
