#include "relay/deliver/reverse_name.hpp"

#include <algorithm>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration least = 1min;
constexpr Duration most = 1h;

}  // namespace

ReverseName confirm(ReverseName before,
                    const Address& address,
                    const DnsAnswer<std::string>& pointers,
                    const std::map<std::string, DnsAnswer<Address>>& forward,
                    Time now) {
    auto const later = [&](std::string why) {
        if (!before.confirmed) before.why = std::move(why);
        before.again = now + least;
        return before;
    };
    auto const text = address.to_string();
    if (pointers.status == DnsStatus::temporary) {
        return later("the reverse name of " + text + " cannot be looked up: " + pointers.detail);
    }
    ReverseName found;
    found.known = true;
    auto ttl = pointers.ttl;
    bool doubtful = false;
    std::string trouble;
    for (auto const& name : pointers.records) {
        auto const at = forward.find(name);
        if (at == forward.end()) continue;
        auto const& answer = at->second;
        if (answer.status == DnsStatus::temporary) {
            doubtful = true;
            trouble = name + " cannot be looked up: " + answer.detail;
            continue;
        }
        ttl = std::min(ttl, answer.ttl);
        if (std::ranges::find(answer.records, address) == answer.records.end()) continue;
        found.confirmed = true;
        found.name = name;
        found.again = now + std::clamp(std::min(pointers.ttl, answer.ttl), least, most);
        return found;
    }
    if (doubtful) return later(trouble);
    found.why = pointers.records.empty()
                    ? text + " has no reverse name"
                    : "the reverse name of " + text + ", " + pointers.records.front() +
                          ", does not have that address";
    found.again = now + std::clamp(ttl, least, most);
    return found;
}

}  // namespace millrace::relay
