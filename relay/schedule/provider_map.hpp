#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/endpoint.hpp"

namespace millrace::relay {

/// What is known of a site that may tell whose it is.
struct SiteFacts {
    std::string site;
    std::string declared;            ///< provider by a rule, or empty
    std::vector<std::string> hosts;  ///< of its MX records
    std::vector<Address> addresses;
};

/// Why two sites count as one provider.
struct Evidence {
    std::string site, other;
    std::string what;  ///< `both are reached at 192.0.2.1`
    Time since{};
};

/// Which sites are one back end: declared by a rule, or found. Hosted mail has an MX name for each
/// customer and the same machines behind all of them, so what one site teaches holds for all.
///
/// Proof enough is an address in common; a domain of the MX hosts in common together with the same
/// network (/24, /48) is taken for proof until it turns out wrong: then the site is split off, and
/// the same evidence does not count for it any more. Pure.
class ProviderMap {
  public:
    /// The provider of a site: its declared name, or the name of the first site that was found to
    /// belong to it. Joining is for good, unless it is split.
    std::string provider_of(const SiteFacts& facts, Time now);
    /// What is known of a site already; empty: nothing.
    std::string known(const std::string& site) const;
    /// It behaves otherwise than the rest: from here on it stands alone, but for what it declares.
    void split(const std::string& site);

    /// Why a site belongs where it does; empty: it stands alone or was declared.
    std::vector<Evidence> evidence(const std::string& provider) const;
    std::vector<std::string> sites(const std::string& provider) const;
    std::size_t size() const { return sites_.size(); }

  private:
    struct Member {
        std::string provider;
        Evidence why;
    };
    static constexpr std::size_t sites_kept = 100'000;

    std::map<std::string, Member> sites_;
    std::map<std::string, std::string> by_address_;  ///< address → site
    std::map<std::string, std::string> by_family_;   ///< domain of the hosts and network → site
    std::set<std::string> alone_;
};

/// `mail.example.com` for `mx1.mail.example.com`, but never less than two labels: where hosts of
/// one operator share what they are called.
std::string family_of(const std::string& host);
/// `192.0.2.0/24`, `2001:db8:1::/48`.
std::string network_of(const Address& address);

}  // namespace millrace::relay
