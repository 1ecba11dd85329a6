#include "relay/schedule/provider_map.hpp"

#include <algorithm>
#include <utility>

namespace millrace::relay {
namespace {

constexpr std::string_view by_family = "hosts of ";

}  // namespace

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
    auto const known = sites_.find(facts.site);
    if (known == sites_.end() && sites_.size() >= sites_kept) {
        return facts.declared.empty() ? facts.site : facts.declared;
    }
    bool const alone = alone_.contains(facts.site);
    // What an address in common proves comes before what a domain and a network do.
    std::vector<std::pair<std::string, std::string>> marks;  // and what they would prove
    for (auto const& address : facts.addresses) {
        marks.emplace_back(address.to_string(), "both are reached at " + address.to_string());
    }
    for (auto const& host : facts.hosts) {
        auto const family = family_of(host);
        if (family.empty()) continue;
        for (auto const& address : facts.addresses) {
            auto const network = network_of(address);
            marks.emplace_back(family + " " + network,
                               std::string(by_family) + family + " in " + network);
        }
    }
    if (known == sites_.end()) {
        Member member;
        member.provider = facts.site;
        member.why = {facts.site, {}, {}, now};
        for (auto const& [mark, proves] : marks) {
            if (!facts.declared.empty() || alone) break;
            auto const at = by_mark_.find(mark);
            if (at == by_mark_.end() || at->second == facts.site) continue;
            auto const other = sites_.find(at->second);
            if (other == sites_.end()) continue;
            member.provider = other->second.provider;
            member.why = {facts.site, at->second, proves, now};
            member.doubtful = proves.starts_with(by_family);
            break;
        }
        sites_.emplace(facts.site, std::move(member));
    }
    auto& member = sites_.at(facts.site);
    if (!facts.declared.empty()) {
        member.provider = facts.declared;
        member.declared = true;
    }
    if (!alone) {
        for (auto& [mark, proves] : marks)
            lead(member, facts.site, std::move(mark));
    }
    return member.provider;
}

void ProviderMap::lead(Member& member, const std::string& site, std::string mark) {
    if (member.marks.size() >= marks_kept) return;
    if (by_mark_.try_emplace(mark, site).second) member.marks.push_back(std::move(mark));
}

void ProviderMap::split(const std::string& site) {
    alone_.insert(site);
    auto const at = sites_.find(site);
    if (at == sites_.end()) return;
    // Whoever was joined by one of its marks stays where it is; nobody else comes by them.
    for (auto const& mark : std::exchange(at->second.marks, {}))
        by_mark_.erase(mark);
    if (at->second.declared) return;
    bool const gave_its_name = std::ranges::any_of(sites_, [&](auto const& entry) {
        return entry.first != site && entry.second.provider == site;
    });
    // What was learned under the name stays with the many.
    at->second.provider = gave_its_name ? site + "/alone" : site;
    at->second.why = {site, {}, {}, {}};
    at->second.doubtful = false;
}

bool ProviderMap::doubtful(const std::string& site) const {
    auto const at = sites_.find(site);
    return at != sites_.end() && at->second.doubtful && !at->second.declared;
}

void ProviderMap::rejoin(const std::string& site) {
    alone_.erase(site);
    auto const at = sites_.find(site);
    if (at == sites_.end()) return;
    for (auto const& mark : at->second.marks)
        by_mark_.erase(mark);
    sites_.erase(at);
}

SiteNote ProviderMap::note(const std::string& site) const {
    SiteNote note;
    note.site = site;
    note.alone = alone_.contains(site);
    auto const at = sites_.find(site);
    if (at == sites_.end()) return note;
    note.used = at->second.used;
    if (at->second.declared) return note;
    note.provider = at->second.provider;
    note.why = at->second.why;
    note.marks = at->second.marks;
    return note;
}

void ProviderMap::restore(const SiteNote& note) {
    if (note.alone) alone_.insert(note.site);
    if (sites_.size() >= sites_kept || sites_.contains(note.site) || note.provider.empty()) return;
    auto& member = sites_[note.site];
    member.provider = note.provider;
    member.why = note.why;
    member.doubtful = note.why.what.starts_with(by_family);
    member.used = note.used;
    for (auto const& mark : note.marks)
        lead(member, note.site, mark);
}

bool ProviderMap::touch(const std::string& site, Time now) {
    auto const at = sites_.find(site);
    if (at == sites_.end() || now - at->second.used < std::chrono::hours(24)) return false;
    at->second.used = now;
    return true;
}

void ProviderMap::forget(Time unused_since) {
    for (auto at = sites_.begin(); at != sites_.end();) {
        if (at->second.used >= unused_since) {
            ++at;
            continue;
        }
        for (auto const& mark : at->second.marks)
            by_mark_.erase(mark);
        alone_.erase(at->first);
        at = sites_.erase(at);
    }
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
