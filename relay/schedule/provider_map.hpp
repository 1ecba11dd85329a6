#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/endpoint.hpp"
#include "relay/schedule/site_note.hpp"

namespace millrace::relay {

/// What is known of a site that may tell whose it is.
struct SiteFacts {
    std::string site;
    std::string declared;            ///< provider by a rule, or empty
    std::vector<std::string> hosts;  ///< of its MX records
    std::vector<Address> addresses;
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
    /// Takes that back: what it belongs to is found out anew when it is asked for next.
    void rejoin(const std::string& site);
    bool alone(const std::string& site) const { return alone_.contains(site); }
    /// It was joined by a domain and a network, which is no proof; not by an address.
    bool doubtful(const std::string& site) const;

    /// What is to be kept of a site, and when it was used; its provider only where it was found.
    SiteNote note(const std::string& site) const;
    /// What was kept. Before provider_of(): a name that was given holds, whoever comes first now.
    void restore(const SiteNote& note);
    /// It is used, and the last time in its note is so old that it should be kept anew.
    bool touch(const std::string& site, Time now);
    /// Lets go of sites that were not used since then.
    void forget(Time unused_since);

    /// Why a site belongs where it does; empty: it stands alone or was declared.
    std::vector<Evidence> evidence(const std::string& provider) const;
    std::vector<std::string> sites(const std::string& provider) const;
    std::size_t size() const { return sites_.size(); }

  private:
    struct Member {
        std::string provider;
        Evidence why;
        bool declared = false;
        bool doubtful = false;                ///< by a family, not by an address
        std::vector<std::string> marks = {};  ///< those that lead to it
        Time used{};
    };
    static constexpr std::size_t sites_kept = 100'000;
    /// Of a site; a provider of many machines has others that it shares.
    static constexpr std::size_t marks_kept = 32;

    void lead(Member& member, const std::string& site, std::string mark);

    std::map<std::string, Member> sites_;
    /// An address, or the domain and the network of hosts → the site they were first seen at.
    std::map<std::string, std::string> by_mark_;
    std::set<std::string> alone_;
};

/// `mail.example.com` for `mx1.mail.example.com`, but never less than two labels: where hosts of
/// one operator share what they are called.
std::string family_of(const std::string& host);
/// `192.0.2.0/24`, `2001:db8:1::/48`.
std::string network_of(const Address& address);

}  // namespace millrace::relay
