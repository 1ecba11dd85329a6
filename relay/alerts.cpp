#include "relay/alerts.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

#include "relay/explainer.hpp"
#include "relay/spool/stream.hpp"
#include "relay/words.hpp"

namespace millrace::relay {
namespace {

constexpr double unknown_warning = 0.03;
constexpr double unknown_critical = 0.10;
constexpr Duration ends_after = std::chrono::minutes(5);
constexpr std::size_t late_told = 10;

std::string shut_text(const std::string& what, const Block::Learned& block, Time now) {
    auto const advised = advice(block.cause);
    return fmt::format("{}, refused {} in a row, next trial {}: {}{}",
                       what,
                       count_words(block.times, "time"),
                       ahead_words(block.until, now),
                       in_quotes(block.said),
                       advised.empty() ? "" : ". " + advised);
}

}  // namespace

std::vector<Alert> alerts_of(const Share& share, Time now) {
    std::vector<Alert> found;
    auto const& block = share.block();
    auto const& provider = share.provider();
    auto const object =
        share.source().empty() ? provider : fmt::format("{} → {}", share.source(), provider);
    if (block.on_trial()) {
        auto const& b = block.learned();
        Typed typed;
        typed.blame = b.cause;
        found.push_back({"blocked",
                         object,
                         b.cause == Blame::blocklist,
                         b.since,
                         shut_text(meaning(typed, provider), b, now)});
    }
    for (auto const& [domain, hold] : share.holds()) {
        if (!hold.on_trial()) continue;
        auto const& h = hold.learned();
        auto const kind = h.cause == Blame::compliance ? "compliance-hold" : "domain-blocked";
        found.push_back(
            {kind,
             fmt::format("{} at {}", domain, object),
             false,
             h.since,
             shut_text(
                 fmt::format("{} refuses mail from {} ({})", provider, domain, to_string(h.cause)),
                 h,
                 now)});
    }
    for (auto const& [party, hold] : share.lists().holds()) {
        auto const wait = share.list_wait(party);
        found.push_back({"list-hold",
                         fmt::format("{} at {}", party_text(party), object),
                         true,
                         hold.since,
                         fmt::format("{}: {}. Take unknown addresses off the list, then `{}`",
                                     wait.reason,
                                     in_quotes(hold.said),
                                     wait.release)});
    }
    if (auto const unknown = share.unknown_share(); unknown >= unknown_warning) {
        found.push_back({"unknown-users",
                         object,
                         unknown >= unknown_critical,
                         now,
                         fmt::format("{} does not know {:.1f} % of the recipients of late: an old "
                                     "or guessed list harms the reputation of all mail",
                                     provider,
                                     unknown * 100)});
    }
    return found;
}

std::vector<Alert> late_alerts(std::span<const StreamSummary> streams, Duration after, Time now) {
    std::vector<Alert> found;
    if (after <= Duration::zero()) return found;
    std::map<std::string, Time> since;
    for (auto const& stream : streams) {
        if (stream.count == 0 || parse_stream(stream.stream).klass == Class::bulk) continue;
        if (stream.next_due == never || now - stream.next_due < after) continue;
        auto const [at, fresh] = since.try_emplace(stream.destination, stream.next_due);
        if (!fresh) at->second = std::min(at->second, stream.next_due);
    }
    for (auto const& [destination, due] : since) {
        found.push_back(
            {"late",
             destination,
             false,
             due,
             fmt::format("mail for {} has been due for {} and still waits: millrace why "
                         "{}",
                         destination,
                         span_words(now - due),
                         destination)});
    }
    std::ranges::sort(found, {}, &Alert::since);
    if (found.size() > late_told) found.resize(late_told);
    return found;
}

std::vector<Alerts::Change> Alerts::look(std::vector<Alert> seen, Time now) {
    std::vector<Change> changes;
    for (auto& alert : seen) {
        auto const key = std::pair(alert.kind, alert.object);
        auto const at = known_.find(key);
        if (at == known_.end()) {
            if (known_.size() >= kept_max) continue;
            changes.push_back({true, alert});
            known_.emplace(key, Known{std::move(alert), now});
            continue;
        }
        auto& known = at->second;
        bool const worse = alert.critical && !known.alert.critical;
        alert.since = std::min(alert.since, known.alert.since);
        known = {std::move(alert), now};
        if (worse) changes.push_back({true, known.alert});
    }
    for (auto at = known_.begin(); at != known_.end();) {
        if (now - at->second.seen < ends_after) {
            ++at;
            continue;
        }
        changes.push_back({false, std::move(at->second.alert)});
        at = known_.erase(at);
    }
    return changes;
}

std::vector<Alert> Alerts::current() const {
    std::vector<Alert> all;
    for (auto const& [key, known] : known_)
        all.push_back(known.alert);
    std::ranges::sort(all, [](const Alert& l, const Alert& r) {
        return std::tuple(!l.critical, l.since, l.object) <
               std::tuple(!r.critical, r.since, r.object);
    });
    return all;
}

std::size_t Alerts::count(std::string_view kind) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        known_, [&](auto const& entry) { return entry.first.first == kind; }));
}

}  // namespace millrace::relay
