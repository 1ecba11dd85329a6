#include "relay/schedule/provider_map.hpp"

#include <algorithm>

namespace millrace::relay {

std::string family_of(const std::string& host) {
    auto const last = host.rfind('.');
    if (last == std::string::npos || last == 0) return {};
    // Two labels are a company's domain, three under a short second level (`co.uk`, `com.au`).
    auto second = host.rfind('.', last - 1);
    if (second == std::string::npos) return host;
    if (last - second - 1 <= 3 && host.size() - last - 1 <= 2) {
        auto const third = second == 0 ? std::string::npos : host.rfind('.', second - 1);
        if (third == std::string::npos) return host;
        second = third;
    }
    return host.substr(second + 1);
}

std::string network_of(const Address& address) {
    if (address.is_v4()) {
        auto bytes = address.to_v4().to_bytes();
        bytes[3] = 0;
        return boost::asio::ip::address_v4(bytes).to_string() + "/24";
    }
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + 6, bytes.end(), std::uint8_t{0});
    return boost::asio::ip::address_v6(bytes).to_string() + "/48";
}

std::string ProviderMap::known(const std::string& site) const {
    auto const at = sites_.find(site);
    return at == sites_.end() ? std::string() : at->second.provider;
}

std::string ProviderMap::provider_of(const SiteFacts& facts, Time now) {
    if (auto const at = sites_.find(facts.site); at != sites_.end()) {
        if (!facts.declared.empty()) at->second.provider = facts.declared;
        if (facts.declared.empty() || at->second.provider == facts.declared) {
            return at->second.provider;
        }
    }
    if (sites_.size() >= sites_kept) return facts.declared.empty() ? facts.site : facts.declared;

    Member member{facts.declared.empty() ? facts.site : facts.declared, {facts.site, {}, {}, now}};
    bool const alone = alone_.contains(facts.site);
    auto const join = [&](const std::string& other, std::string what) {
        auto const at = sites_.find(other);
        if (at == sites_.end() || other == facts.site || !member.why.other.empty()) return;
        member.provider = at->second.provider;
        member.why = {facts.site, other, std::move(what), now};
    };
    if (facts.declared.empty() && !alone) {
        for (auto const& address : facts.addresses) {
            auto const text = address.to_string();
            if (auto const at = by_address_.find(text); at != by_address_.end()) {
                join(at->second, "both are reached at " + text);
            }
        }
        for (auto const& host : facts.hosts) {
            auto const family = family_of(host);
            if (family.empty()) continue;
            for (auto const& address : facts.addresses) {
                auto const network = network_of(address);
                if (auto const at = by_family_.find(family + " " + network);
                    at != by_family_.end()) {
                    join(at->second, "hosts of " + family + " in " + network);
                }
            }
        }
    }
    for (auto const& address : facts.addresses) {
        if (!alone) by_address_.try_emplace(address.to_string(), facts.site);
        for (auto const& host : facts.hosts) {
            if (auto const family = family_of(host); !family.empty() && !alone) {
                by_family_.try_emplace(family + " " + network_of(address), facts.site);
            }
        }
    }
    return sites_.insert_or_assign(facts.site, std::move(member)).first->second.provider;
}

void ProviderMap::split(const std::string& site) {
    alone_.insert(site);
    auto const at = sites_.find(site);
    if (at == sites_.end()) return;
    at->second.provider = site;
    at->second.why = {site, {}, {}, {}};
}

std::vector<Evidence> ProviderMap::evidence(const std::string& provider) const {
    std::vector<Evidence> found;
    for (auto const& [site, member] : sites_) {
        if (member.provider == provider && !member.why.other.empty()) found.push_back(member.why);
    }
    return found;
}

std::vector<std::string> ProviderMap::sites(const std::string& provider) const {
    std::vector<std::string> found;
    for (auto const& [site, member] : sites_) {
        if (member.provider == provider) found.push_back(site);
    }
    return found;
}

}  // namespace millrace::relay
