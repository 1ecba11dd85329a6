#include "relay/cli/learned.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <functional>

#include "relay/shaping/rule_book.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t days_max = 400;
constexpr std::size_t hosts_max = 8;
constexpr std::size_t example_max = 200;
constexpr std::size_t name_max = 255;

std::string lower(std::string_view text) {
    std::string out(text.substr(0, name_max));
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

/// As the relay would type it that has no configuration.
Blame blame_of(const LoggedAttempt& a) {
    auto const book = shipped_book();
    std::vector<std::string> hosts;
    if (!a.host.empty()) hosts.emplace_back(a.host);
    auto const provider = book->provider_of(a.domain, hosts, {});
    return book->type(provider, a.code, a.enhanced, a.text, {}).blame;
}

std::string reply_of(const LoggedAttempt& a) {
    auto text = a.code == 0 ? std::string() : fmt::format("{} ", a.code);
    if (a.code != 0 && !a.enhanced.empty()) text.append(a.enhanced).append(" ");
    text.append(a.text.substr(0, example_max));
    return text;
}

void note(Said& said, const LoggedAttempt& a) {
    ++said.count;
    said.last = a.second;
    said.example = reply_of(a);
}

void at_most(std::optional<std::uint64_t>& least, std::uint64_t value) {
    least = std::min(least.value_or(value), value);
}

void at_least(std::optional<std::uint64_t>& most, std::uint64_t value) {
    most = std::max(most.value_or(value), value);
}

}  // namespace

std::string server_domain(std::string_view host) {
    auto const name = lower(host.ends_with('.') ? host.substr(0, host.size() - 1) : host);
    if (name.find_first_not_of("0123456789.:[]") == std::string::npos) return name;
    auto const last = name.rfind('.');
    if (last == std::string::npos || last == 0) return name;
    auto second = name.rfind('.', last - 1);
    if (second == std::string::npos || second == 0) return name;
    constexpr std::size_t country = 2;
    constexpr std::string_view shared[] = {
        "ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"};
    auto const label = std::string_view(name).substr(second + 1, last - second - 1);
    bool const part_of_it =  // .co.uk
        name.size() - last - 1 == country && std::ranges::find(shared, label) != std::end(shared);
    if (part_of_it) second = name.rfind('.', second - 1);
    return second == std::string::npos ? name : name.substr(second + 1);
}

void Lessons::take(const LoggedAttempt& a) {
    ++sums_.attempts;
    sums_.from = sums_.from == 0 ? a.second : std::min(sums_.from, a.second);
    sums_.to = std::max(sums_.to, a.second);
    bool const refused =
        a.end == LoggedAttempt::End::deferred || a.end == LoggedAttempt::End::bounced;
    auto const blame = refused && a.code >= 400 ? blame_of(a) : Blame::none;
    take(destinations_, lower(a.domain), a, blame);
    if (!a.host.empty()) {
        auto const server = server_domain(a.host);
        take(servers_, server, a, blame);
        if (auto const found = servers_.find(server); found != servers_.end()) {
            auto& hosts = found->second.learned.hosts;
            if (hosts.size() < hosts_max) {
                auto host = lower(a.host);
                if (std::ranges::find(hosts, host) == hosts.end()) hosts.push_back(std::move(host));
            }
        }
    }
}

void Lessons::take(Names& names, std::string_view name, const LoggedAttempt& a, Blame blame) {
    auto found = names.find(name);
    if (found == names.end()) {
        if (names.size() >= 2 * names_max_) forget_the_smallest(names);
        found = names.emplace(std::string(name), Entry{}).first;
    }
    count(found->second, a, blame);
}

void Lessons::count(Entry& entry, const LoggedAttempt& a, Blame blame) {
    using End = LoggedAttempt::End;
    auto& l = entry.learned;
    auto& now = entry.present;
    if (a.end == End::suspended) {
        ++l.suspended;
        return;
    }
    auto const minute = a.second / 60;
    if (minute != now.minute) {
        close_minute(entry);
        if (minute / 60 != now.hour) close_hour(entry);
        now.minute = minute;
        now.hour = minute / 60;
    }
    auto& day = l.days[a.second / 86'400];
    if (l.days.size() > days_max) l.days.erase(l.days.begin());
    (a.end == End::sent ? l.sent : a.end == End::deferred ? l.deferred : l.bounced) += 1;
    (a.end == End::sent ? day.sent : a.end == End::deferred ? day.deferred : day.bounced) += 1;
    auto const parallel = at_once(now, a);
    if (a.end == End::sent) {
        // The recipients of one transaction stand one behind the other.
        auto const transaction = std::string(a.process).append("/").append(a.queue_id);
        if (transaction != now.transaction) {
            now.transaction = transaction;
            ++l.messages;
            ++now.in_minute;
            ++now.in_hour;
        }
        at_least(l.connections.good, parallel);
        return;
    }
    if (a.code == 0) {
        note(l.silent, a);
        return;
    }
    note(l.said[blame], a);
    if (blame == Blame::connections) {
        // A single one with few connections may have had another cause: of all, the lowest tenth
        // is passed over.
        l.crowded.resize(std::max<std::size_t>(l.crowded.size(), parallel + 1));
        ++l.crowded[parallel];
        auto passed = l.said[blame].count / 10;
        std::uint64_t level = 0;
        while (l.crowded[level] <= passed) {
            passed -= l.crowded[level++];
        }
        l.connections.bad = level;
    } else if (blame == Blame::rate) {
        now.limited = true;
    }
}

/// How many processes, this one included, were at work there while this attempt was. The log says
/// when an attempt ended to the second, so that this is rather too many than too few.
std::uint64_t Lessons::at_once(Present& now, const LoggedAttempt& a) {
    auto const to = a.second * 1'000;
    auto const from = to - std::chrono::floor<std::chrono::milliseconds>(a.busy).count();
    auto const process = std::hash<std::string_view>{}(a.process) | 1U;
    auto mine = now.recent.end();
    std::uint64_t others = 0;
    for (auto at = now.recent.begin(); at != now.recent.end(); ++at) {
        if (at->process == process) {
            mine = at;
        } else if (at->process != 0 && at->to >= from && at->from <= to) {
            ++others;
        }
    }
    if (mine == now.recent.end()) {
        mine = now.recent.begin() + static_cast<std::ptrdiff_t>(now.next);
        now.next = (now.next + 1) % now.recent.size();
    }
    *mine = {process, from, to};
    return others + 1;
}

void Lessons::close_minute(Entry& entry) {
    auto& now = entry.present;
    auto& l = entry.learned;
    if (now.in_minute > l.minute.messages) l.minute = {now.minute * 60, now.in_minute};
    if (now.limited) {
        at_most(l.rate.bad, now.in_minute + 1);  // what was refused would have been one more
    } else if (now.in_minute > 0) {
        at_least(l.rate.good, now.in_minute);
    }
    now.in_minute = 0;
    now.limited = false;
}

void Lessons::close_hour(Entry& entry) {
    auto& now = entry.present;
    if (now.in_hour > entry.learned.hour.messages) {
        entry.learned.hour = {now.hour * 3'600, now.in_hour};
    }
    now.in_hour = 0;
}

void Lessons::new_file() {
    for (auto* names : {&destinations_, &servers_}) {
        for (auto& [name, entry] : *names) {
            close_minute(entry);
            close_hour(entry);
            entry.present = {};
        }
    }
}

void Lessons::forget_the_smallest(Names& names) {
    std::vector<std::pair<std::uint64_t, std::string>> sizes;
    sizes.reserve(names.size());
    for (auto const& [name, entry] : names) {
        sizes.emplace_back(entry.learned.total() + entry.learned.suspended, name);
    }
    std::ranges::sort(sizes, std::greater{});
    for (std::size_t i = names_max_; i < sizes.size(); ++i) {
        if (&names == &destinations_) {
            sums_.left_out += sizes[i].first;
        }
        names.erase(sizes[i].second);
    }
}

std::vector<Lessons::Named> Lessons::sorted(const Names& names) {
    std::vector<Named> all;
    all.reserve(names.size());
    for (auto const& [name, entry] : names) {
        all.push_back({name, &entry.learned});
    }
    std::ranges::sort(all, [](auto const& l, auto const& r) {
        return std::pair(r.learned->total(), l.name) < std::pair(l.learned->total(), r.name);
    });
    return all;
}

}  // namespace millrace::relay
