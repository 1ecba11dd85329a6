#include "relay/schedule/source_pools.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <boost/asio/ip/address.hpp>

#include "common/mail/domain.hpp"

namespace millrace::relay {
namespace {

/// FNV-1a, then mixed so that every bit depends on all: the same on every machine, for ever.
std::uint64_t hash_of(std::initializer_list<std::string_view> words) {
    std::uint64_t h = 0xCBF29CE484222325ULL;
    for (auto const word : words) {
        for (char const c : word) {
            h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
        }
        h = (h ^ 0xFFU) * 0x100000001B3ULL;
    }
    h = (h ^ (h >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    h = (h ^ (h >> 27U)) * 0x94D049BB133111EBULL;
    return h ^ (h >> 31U);
}

/// In (0, 1).
double unit_of(std::uint64_t h) {
    return (static_cast<double>(h >> 11U) + 0.5) / 9007199254740992.0;
}

bool fits(const std::string& pattern, std::string_view domain) {
    if (pattern == "*") return true;
    return pattern.starts_with('.') ? domain.ends_with(pattern) : domain == pattern;
}

std::string network_of(const boost::asio::ip::address_v6& address) {
    auto bytes = address.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
    return boost::asio::ip::address_v6(bytes).to_string() + "/64";
}

}  // namespace

SourcePools SourcePools::from(const config::Relay& settings) {
    SourcePools all;
    for (auto const& setting : settings.sources) {
        boost::system::error_code bad;
        auto const address = boost::asio::ip::make_address(setting.address, bad);
        if (bad) continue;
        auto const name = setting.name.empty() ? setting.address : setting.name;
        auto at = std::ranges::find(all.sources_, name, &OwnSource::name);
        if (at == all.sources_.end()) {
            OwnSource fresh;
            fresh.name = name;
            fresh.weight = std::max(1U, setting.weight);
            fresh.warm_up = {setting.warm_up, setting.warm_up_first, setting.warm_up_goal};
            fresh.warm_up_domains = setting.warm_up_domains;
            at = all.sources_.insert(all.sources_.end(), std::move(fresh));
        }
        at->addresses.push_back(address.to_string());
        (address.is_v4() ? at->v4 : at->v6) = true;
        if (address.is_v6() && !address.is_unspecified()) at->network = network_of(address.to_v6());
    }
    for (auto const& setting : settings.pools) {
        Pool pool;
        pool.name = setting.name;
        for (std::size_t i = 0; i < all.sources_.size(); ++i) {
            bool const mine =
                setting.sources.empty() ||
                std::ranges::find(setting.sources, all.sources_[i].name) != setting.sources.end();
            if (mine) pool.sources.push_back(i);
        }
        auto const has = [&](const char* word) {
            return setting.classes.empty() ||
                   std::ranges::find(setting.classes, word) != setting.classes.end();
        };
        pool.bulk = has("bulk");
        pool.transactional = has("transactional");
        pool.sender_domains = setting.sender_domains;
        if (!pool.sources.empty()) all.pools_.push_back(std::move(pool));
    }
    return all;
}

const OwnSource* SourcePools::find(std::string_view name) const {
    auto const at = std::ranges::find(sources_, name, &OwnSource::name);
    return at == sources_.end() ? nullptr : &*at;
}

bool SourcePools::Pool::takes(Class klass, std::string_view sender_domain) const {
    if (!(klass == Class::bulk ? bulk : transactional)) return false;
    return sender_domains.empty() || std::ranges::any_of(sender_domains, [&](auto const& pattern) {
               return fits(pattern, sender_domain);
           });
}

const SourcePools::Pool* SourcePools::find_pool(const StreamKey& stream) const {
    auto const at = std::ranges::find_if(
        pools_, [&](const Pool& pool) { return pool.takes(stream.klass, stream.sender_domain); });
    return at == pools_.end() ? nullptr : &*at;
}

std::string_view SourcePools::pool_of(const StreamKey& stream) const {
    auto const* const pool = find_pool(stream);
    return pool == nullptr ? std::string_view() : pool->name;
}

bool SourcePools::several(Class klass, std::string_view sender_domain) const {
    StreamKey key;
    key.klass = klass;
    key.sender_domain = sender_domain;
    auto const* const pool = find_pool(key);
    return (pool == nullptr ? sources_.size() : pool->sources.size()) > 1;
}

std::vector<const OwnSource*> SourcePools::preference(const StreamKey& stream,
                                                      const Families& there) const {
    std::vector<const OwnSource*> able;
    if (auto const* const pool = find_pool(stream)) {
        for (auto const i : pool->sources)
            able.push_back(&sources_[i]);
    } else {
        for (auto const& source : sources_)
            able.push_back(&source);
    }
    // When none reaches it, it is tried all the same: the attempt says why that is in vain.
    auto const out_of_reach = [&](const OwnSource* source) {
        return !source->reaches(there);
    };
    if (!std::ranges::all_of(able, out_of_reach)) std::erase_if(able, out_of_reach);
    if (able.size() < 2) return able;

    // The slots stand evenly on a circle that the sources divide by weight; where it begins is
    // another place for every destination and sender.
    double total = 0;
    for (auto const* const source : able)
        total += source->weight;
    auto const begin = unit_of(hash_of({stream.sender_domain, stream.destination}));
    auto place = begin + static_cast<double>(stream.slot % slots) / slots;
    place = (place - std::floor(place)) * total;
    std::size_t first = 0;
    while (first + 1 < able.size() && place >= able[first]->weight) {
        place -= able[first]->weight;
        ++first;
    }
    std::rotate(able.begin(),
                able.begin() + static_cast<std::ptrdiff_t>(first),
                able.begin() + static_cast<std::ptrdiff_t>(first) + 1);

    auto const slot = std::string(1, static_cast<char>(stream.slot % slots));
    std::map<const OwnSource*, std::pair<bool, double>> rank;
    for (auto const* const source : able) {
        auto const h = hash_of({stream.sender_domain, stream.destination, slot, source->name});
        rank[source] = {source->warms(), -std::log(unit_of(h)) / source->weight};
    }
    std::sort(able.begin() + 1, able.end(), [&](auto const* l, auto const* r) {
        return rank.at(l) < rank.at(r);
    });
    return able;
}

std::uint8_t slot_of(std::string_view sender_domain, std::string_view recipient) {
    return static_cast<std::uint8_t>(hash_of({sender_domain, mail::lower(recipient)}) % slots);
}

void assign_slots(std::vector<Work>& works, const SourcePools& pools) {
    if (pools.sources().size() < 2) return;
    std::map<std::string_view, std::uint8_t> by_destination;
    for (auto& work : works) {
        if (work.sender_domain.empty() || !pools.several(work.klass, work.sender_domain)) continue;
        auto const slot = slot_of(work.sender_domain, work.recipient);
        // Bulk goes out one by one anyhow.
        work.slot = work.klass == Class::bulk
                        ? slot
                        : by_destination.try_emplace(work.destination, slot).first->second;
    }
}

}  // namespace millrace::relay
