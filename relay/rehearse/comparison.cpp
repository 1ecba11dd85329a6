#include "relay/rehearse/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include <boost/json.hpp>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// Gathers what becomes of one destination, or of all.
class Account {
  public:
    void delivered(Time queued, Time now) {
        waits_.push_back(now - queued);
        ++hours_[now.time_since_epoch() / 1h];
        fared.finish = std::max(fared.finish, now);
    }
    Fared close() {
        for (auto const& [hour, count] : hours_) {
            fared.busiest_hour = std::max(fared.busiest_hour, count);
        }
        if (!waits_.empty()) {
            std::ranges::sort(waits_);
            fared.median = waits_[waits_.size() / 2];
            fared.p99 = waits_[(waits_.size() - 1) * 99 / 100];
        }
        return fared;
    }
    Fared fared;

  private:
    std::vector<Duration> waits_;
    std::map<std::int64_t, std::uint64_t> hours_;
};

/// Of each destination, in the order of the setup's places; the last one is the total.
std::vector<Fared> rehearse(const RehearsalSetup& traffic, const Conduct& conduct) {
    // A rehearsal is not waited for much longer than its mail is worth.
    constexpr std::uint64_t events_per_message = 200;
    constexpr std::uint64_t events_spare = 1'000'000;
    auto setup = traffic;
    setup.limits = conduct.limits;
    setup.retry = conduct.retry;
    setup.idle_connection = conduct.idle_connection;
    setup.rules = conduct.rules;
    std::unordered_map<std::string, std::size_t> by_destination, by_site;
    for (std::size_t i = 0; i < setup.places.size(); ++i) {
        by_destination.emplace(setup.places[i].destination, i);
        by_site.emplace(setup.places[i].facts.site, i);
    }
    std::vector<Account> accounts(setup.places.size() + 1);
    auto& total = accounts.back();
    auto const mail = setup.mail.size();
    Rehearsal rehearsal(std::move(setup));
    rehearsal.on_delivered = [&](const StreamKey& stream, Time queued, Time now) {
        accounts[by_destination.at(stream.destination)].delivered(queued, now);
        total.delivered(queued, now);
    };
    rehearsal.on_contact = [&](const Contact& contact) {
        if (!is_limit(contact.refusal.meant)) return;
        ++total.fared.refusals;
        // An opening is for whoever has mail there; it is charged to the first of the site.
        auto const& index = contact.message ? by_destination : by_site;
        auto const at = index.find(contact.message ? contact.stream.destination : contact.site);
        if (at != index.end()) ++accounts[at->second].fared.refusals;
    };
    rehearsal.run(mail * events_per_message + events_spare);
    std::vector<Fared> all;
    for (std::size_t i = 0; i + 1 < accounts.size(); ++i) {
        auto const& result = rehearsal.destinations()[i];
        auto& fared = accounts[i].fared;
        fared.mail = result.mail;
        fared.delivered = result.delivered;
        fared.bounced = result.bounced;
        total.fared.mail += result.mail;
        total.fared.delivered += result.delivered;
        total.fared.bounced += result.bounced;
        all.push_back(accounts[i].close());
    }
    all.push_back(total.close());
    return all;
}

/// How different it is, for the order of the rows: message-seconds won or lost.
double weight(const Comparison::Row& row) {
    auto const mail = static_cast<double>(row.current.mail);
    return mail * (std::abs(seconds(row.current.median - row.proposed.median)) +
                   std::abs(seconds(row.current.p99 - row.proposed.p99)) / 50) +
           std::abs(static_cast<double>(row.current.refusals) -
                    static_cast<double>(row.proposed.refusals));
}

boost::json::object fared_json(const Fared& f) {
    auto const exact = [](Duration d) {
        return std::round(seconds(d) * 1000) / 1000;
    };
    boost::json::object o{{"mail", f.mail},
                          {"delivered", f.delivered},
                          {"bounced", f.bounced},
                          {"refusals", f.refusals},
                          {"busiest_hour", f.busiest_hour},
                          {"median_wait_s", exact(f.median)},
                          {"p99_wait_s", exact(f.p99)}};
    if (f.finish != Time{}) o["finish"] = to_rfc3339(f.finish);
    return o;
}

boost::json::object row_json(const Comparison::Row& row) {
    return {{"destination", row.name},
            {"current", fared_json(row.current)},
            {"proposed", fared_json(row.proposed)}};
}

}  // namespace

Comparison compare(const RehearsalSetup& traffic,
                   const Conduct& current,
                   const Conduct& proposed,
                   const std::function<void()>& on_half) {
    auto const before = rehearse(traffic, current);
    if (on_half) on_half();
    auto const after = rehearse(traffic, proposed);
    Comparison c;
    c.begin = traffic.begin;
    for (std::size_t i = 0; i < traffic.places.size(); ++i) {
        c.rows.push_back({traffic.places[i].destination, before[i], after[i]});
    }
    c.total = {"all", before.back(), after.back()};
    std::ranges::sort(c.rows, [](const auto& l, const auto& r) {
        return std::pair(weight(r), l.name) < std::pair(weight(l), r.name);
    });
    return c;
}

boost::json::object to_json(const Comparison& c) {
    boost::json::array rows;
    for (auto const& row : c.rows)
        rows.push_back(row_json(row));
    return {{"begin", to_rfc3339(c.begin)},
            {"total", row_json(c.total)},
            {"destinations", std::move(rows)}};
}

}  // namespace millrace::relay
