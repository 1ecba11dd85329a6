// What must be true of the addresses that mail leaves from, and of their pools.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include <boost/asio/ip/address.hpp>

#include "common/config/complete.hpp"
#include "common/config/nearest.hpp"
#include "common/mail/domain.hpp"

namespace millrace::config {
namespace {

constexpr std::size_t sources_max = 64;
constexpr std::size_t pools_max = 64;

template <class... Args>
std::unexpected<Failure> wrong(fmt::format_string<Args...> text, Args&&... args) {
    return failure(Fault::invalid, fmt::format(text, std::forward<Args>(args)...));
}

Address address_of(const Source& source) {
    boost::system::error_code error;
    return boost::asio::ip::make_address(source.address, error);
}

void lower_all(std::vector<std::string>& names) {
    for (auto& name : names)
        name = mail::lower(name);
}

Result<void> check_addresses(Relay& relay, std::vector<std::string>& warnings) {
    std::set<Address> taken;
    for (auto& source : relay.sources) {
        boost::system::error_code error;
        auto const address = boost::asio::ip::make_address(source.address, error);
        if (error) return wrong("relay.sources: a source needs an address");
        if (address.is_multicast()) {
            return wrong("relay.sources: {} is no address to send from", source.address);
        }
        if (address.is_loopback()) {
            warnings.push_back(fmt::format(
                "relay.sources: {} is a loopback address: only this machine is reached from there",
                source.address));
        }
        if (!taken.insert(address).second) {
            return wrong("relay.sources: {} is there twice", source.address);
        }
        if (source.hostname.empty()) source.hostname = relay.hostname;
        lower_all(source.warm_up_domains);
        if (source.warm_up_first > source.warm_up_goal) {
            return wrong("relay.sources: {}: warm_up_first is larger than warm_up_goal",
                         source.address);
        }
    }
    for (auto const& source : relay.sources) {
        auto const address = address_of(source);
        auto const family = std::ranges::count_if(relay.sources, [&](const Source& other) {
            return address_of(other).is_v4() == address.is_v4();
        });
        if (address.is_unspecified() && family > 1) {
            return wrong(
                "relay.sources: {} leaves the choice to the system, so it cannot stand "
                "beside other {} addresses",
                source.address,
                address.is_v4() ? "IPv4" : "IPv6");
        }
    }
    return {};
}

/// A lone pair is one source, as it was before sources had names.
void name_sources(std::vector<Source>& sources) {
    bool const pair = sources.size() == 2 && sources[0].name.empty() && sources[1].name.empty() &&
                      address_of(sources[0]).is_v4() != address_of(sources[1]).is_v4();
    for (auto& source : sources) {
        if (source.name.empty()) source.name = pair ? sources[0].address : source.address;
    }
}

Result<void> check_names(const std::vector<Source>& sources) {
    std::map<std::string, const Source*> known;
    for (auto const& source : sources) {
        auto const [at, fresh] = known.try_emplace(source.name, &source);
        if (fresh) continue;
        auto const& other = *at->second;
        auto const same = std::ranges::count(sources, source.name, &Source::name);
        if (same > 2 || address_of(source).is_v4() == address_of(other).is_v4()) {
            return wrong(
                "relay.sources: {} and {} are both called {}; only an IPv4 and an IPv6 "
                "address may share a name",
                other.address,
                source.address,
                source.name);
        }
        bool const agree = source.weight == other.weight && source.warm_up == other.warm_up &&
                           source.warm_up_first == other.warm_up_first &&
                           source.warm_up_goal == other.warm_up_goal &&
                           source.warm_up_domains == other.warm_up_domains;
        if (!agree) {
            return wrong(
                "relay.sources: the two addresses of {} are one source: give both the "
                "same weight and warm_up settings",
                source.name);
        }
    }
    return {};
}

Result<void> check_pools(Relay& relay, std::vector<std::string>& warnings) {
    std::vector<std::string> names;
    for (auto const& source : relay.sources)
        names.push_back(source.name);
    if (!relay.pools.empty() && names.empty()) {
        return wrong("relay.pools: there are no relay.sources to be in a pool");
    }
    std::set<std::string> taken;
    for (auto& pool : relay.pools) {
        if (!taken.insert(pool.name).second) {
            return wrong("relay.pools: there are two pools called {}", pool.name);
        }
        bool warm = pool.sources.empty();
        for (auto const& name : pool.sources) {
            auto const found = std::ranges::find(relay.sources, name, &Source::name);
            if (found == relay.sources.end()) {
                auto const meant = nearest(name, names);
                return wrong("relay.pools: {}: there is no source called {}{}",
                             pool.name,
                             name,
                             meant.empty() ? "" : ": did you mean " + meant + "?");
            }
            if (std::ranges::count(pool.sources, name) > 1) {
                return wrong("relay.pools: {}: {} is there twice", pool.name, name);
            }
            warm = warm || !found->warm_up;
        }
        if (!warm) {
            warnings.push_back(fmt::format(
                "relay.pools: every source of {} is being warmed up: what is more than they may "
                "send waits",
                pool.name));
        }
        lower_all(pool.sender_domains);
    }
    return {};
}

}  // namespace

Result<void> complete_sources(Relay& relay, std::vector<std::string>& warnings) {
    if (relay.sources.size() > sources_max) {
        return wrong("relay.sources: more than {}", sources_max);
    }
    if (relay.pools.size() > pools_max) return wrong("relay.pools: more than {}", pools_max);
    if (auto done = check_addresses(relay, warnings); !done) return done;
    name_sources(relay.sources);
    if (auto done = check_names(relay.sources); !done) return done;
    auto const of_v6 = std::ranges::count_if(
        relay.sources, [](const Source& source) { return address_of(source).is_v6(); });
    if (relay.delivery.ipv6 && !relay.sources.empty() && of_v6 == 0) {
        warnings.emplace_back(
            "relay.delivery.ipv6 has no effect: relay.sources has no IPv6 address");
    }
    return check_pools(relay, warnings);
}

}  // namespace millrace::config
