#include "relay/schedule/unknown_users.hpp"

#include <algorithm>
#include <cmath>

namespace millrace::relay {
namespace {

/// Recipients counted before their share says anything.
constexpr double enough_recipients = 100;
constexpr double unknown_holds = 0.10;

}  // namespace

bool UnknownUsers::count(const std::string& party,
                         bool unknown,
                         const std::string& said,
                         Time now) {
    if (holds_.contains(party)) return false;
    auto& list = list_of(party, now);
    auto const age = std::chrono::duration<double>(now - list.counted).count();
    auto const fade = std::exp(-std::max(0.0, age) / 3600);
    list.taken = list.taken * fade + 1;
    list.unknown = list.unknown * fade + (unknown ? 1 : 0);
    list.counted = now;
    bool const bad = unknown && list.taken >= enough_recipients &&
                     list.unknown >= unknown_holds * list.taken && holds_.size() < lists_kept;
    if (!bad) return false;
    holds_[party] = {now, list.unknown / list.taken, said};
    lists_.erase(party);
    return true;
}

/// Of more parties than are kept the one that was counted longest ago goes.
UnknownUsers::List& UnknownUsers::list_of(const std::string& party, Time now) {
    if (auto const at = lists_.find(party); at != lists_.end()) return at->second;
    if (lists_.size() >= lists_kept) {
        lists_.erase(std::ranges::min_element(
            lists_, {}, [](auto const& entry) { return entry.second.counted; }));
    }
    auto& fresh = lists_[party];
    fresh.counted = now;
    return fresh;
}

const UnknownUsers::Hold* UnknownUsers::held(const std::string& party) const {
    auto const at = holds_.find(party);
    return at == holds_.end() ? nullptr : &at->second;
}

void UnknownUsers::restore(const std::string& party, const Hold& hold) {
    if (holds_.size() < lists_kept) holds_[party] = hold;
}

std::string party_text(const std::string& party) {
    return party.starts_with('@') ? party.substr(1) : "the account " + party;
}

}  // namespace millrace::relay
