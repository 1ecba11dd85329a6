#include "relay/rehearse/cast.hpp"

#include <algorithm>
#include <map>

namespace millrace::relay {
namespace {

/// As many receivers, and destinations of one, as are rehearsed one by one; of those beyond some
/// stand for the rest.
constexpr std::size_t providers_most = 200;
constexpr std::size_t destinations_most = 60;

/// Keeps the first `most` and, of the rest, one in so many.
template <class T, class Absorb>
void represent(std::vector<T>& all, std::size_t most, Absorb absorb) {
    if (all.size() <= most) return;
    auto const whole = most * 3 / 4;
    auto const some = most - whole;
    auto const rest = all.size() - whole;
    for (std::size_t i = 0; i < some; ++i) {
        auto const from = whole + rest * i / some;
        auto const to = whole + rest * (i + 1) / some;
        auto kept = std::move(all[from]);
        for (auto other = from + 1; other < to; ++other)
            absorb(kept, all[other]);
        all[whole + i] = std::move(kept);
    }
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(most), all.end());
}

std::uint64_t share_of(std::uint64_t part, std::uint64_t played, std::uint64_t count) {
    if (played >= count || count == 0) return part;
    auto const scaled =
        static_cast<double>(part) * static_cast<double>(played) / static_cast<double>(count);
    return std::max<std::uint64_t>(part > 0 ? 1 : 0, static_cast<std::uint64_t>(scaled + 0.5));
}

}  // namespace

Cast::Cast(const Standing& standing, std::uint64_t most) {
    gather(standing);
    shorten();
    scale(most);
}

void Cast::gather(const Standing& standing) {
    std::map<std::string, const Standing::Learned*> learned;
    for (auto const& share : standing.shares)
        learned.emplace(share.provider, &share);
    std::map<std::string, std::size_t> places;
    for (auto const& queue : standing.queues) {
        auto const key = parse_stream(queue.stream);
        bool const lost = queue.site.starts_with('!');
        Destination fresh;
        fresh.name = key.destination;
        fresh.site = queue.site.empty() ? key.destination : queue.site;
        auto* home = &idle_;
        Provider* provider = nullptr;
        if (queue.count > 0 && !lost) {
            auto const name = queue.provider.empty() ? key.destination : queue.provider;
            auto const [at, is_new] = places.try_emplace(name, providers_.size());
            if (is_new) {
                auto const found = learned.find(name);
                auto const limits = standing.limits.providers.find(name);
                auto const& ceilings = limits == standing.limits.providers.end()
                                           ? standing.limits.per_site
                                           : limits->second;
                bool const known = found != learned.end();
                providers_.emplace_back(name,
                                        Belief(known ? found->second->source : std::string(),
                                               name,
                                               known ? found->second->note : std::string(),
                                               ceilings,
                                               standing.now));
            }
            provider = &providers_[at->second];
            home = &provider->destinations;
        }
        // Streams of one destination stand together.
        if (home->empty() || home->back().name != fresh.name) home->push_back(std::move(fresh));
        auto& destination = home->back();
        destination.count += queue.count;
        destination.held += queue.held;
        if (lost) {
            destination.why = "there is no way to it: " + queue.why;
        } else if (!queue.why.empty()) {
            destination.why = queue.why;
        }
        if (provider == nullptr) continue;
        auto const due =
            std::max(queue.next_due == never ? standing.now : queue.next_due, queue.wait_until);
        if (due > standing.now) destination.put_off += queue.count;
        provider->down_until = std::max(provider->down_until, queue.wait_until);
        destination.streams.push_back({key, std::max(due, standing.now), queue.count, 0});
        provider->count += queue.count;
        count_ += queue.count;
    }
}

void Cast::shorten() {
    std::ranges::sort(providers_, [](const Provider& l, const Provider& r) {
        return std::pair(r.count, l.name) < std::pair(l.count, r.name);
    });
    for (auto& provider : providers_) {
        std::ranges::sort(provider.destinations, [](const Destination& l, const Destination& r) {
            return std::pair(r.count, l.name) < std::pair(l.count, r.name);
        });
        // The mail of the others goes the same way; it is theirs in name only.
        represent(
            provider.destinations, destinations_most, [](Destination& kept, Destination& other) {
                for (auto& stream : other.streams) {
                    stream.key.destination = kept.name;
                    kept.streams.push_back(std::move(stream));
                }
                kept.count += other.count;
                kept.put_off += other.put_off;
                kept.held += other.held;
                kept.stands_for += other.stands_for;
            });
        for (auto& destination : provider.destinations) {
            // Alike but for the account: one stream.
            std::map<std::pair<std::string, Time>, Stream> merged;
            for (auto& stream : destination.streams) {
                Work work;
                work.destination = stream.key.destination;
                work.klass = stream.key.klass;
                work.sender_domain = stream.key.sender_domain;
                auto const [at, is_new] =
                    merged.try_emplace({stream_name(work), stream.at}, stream);
                if (is_new) {
                    at->second.key = parse_stream(at->first.first);
                } else {
                    at->second.count += stream.count;
                }
            }
            destination.streams.clear();
            for (auto& [name, stream] : merged)
                destination.streams.push_back(std::move(stream));
        }
    }
    // Receivers of their own do not hinder each other: some show what the others do.
    represent(providers_, providers_most, [](Provider& kept, Provider& other) {
        for (auto const& destination : other.destinations) {
            auto& first = kept.destinations.front();
            first.stands_for += destination.stands_for;
            first.count += destination.count;
            first.put_off += destination.put_off;
            first.held += destination.held;
        }
    });
}

void Cast::scale(std::uint64_t most) {
    // So many of each that all together are not too many; small ones are played whole.
    std::vector<std::uint64_t> counts;
    for (auto const& provider : providers_)
        counts.push_back(provider.count);
    std::ranges::sort(counts);
    auto each = counts.empty() ? 0 : counts.back();
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        auto const left = counts.size() - i;
        if (before + counts[i] * left > most) {
            each = std::max<std::uint64_t>(20, (most - std::min(most, before)) / left);
            break;
        }
        before += counts[i];
    }
    for (auto& provider : providers_) {
        auto const wanted = std::min(provider.count, each);
        for (auto& destination : provider.destinations) {
            for (auto& stream : destination.streams) {
                stream.played = share_of(stream.count, wanted, provider.count);
                provider.played += stream.played;
            }
        }
        played_ += provider.played;
    }
}

}  // namespace millrace::relay
