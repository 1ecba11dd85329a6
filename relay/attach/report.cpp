#include "relay/attach/report.hpp"

#include <algorithm>

#include <boost/json.hpp>

#include "common/policy/known.hpp"

namespace millrace::attach {
namespace {

namespace json = boost::json;

constexpr std::size_t senders_max = 1'000;
constexpr std::size_t rules_max = 200;               // the gate has far fewer
constexpr std::uint64_t recipients_max = 1'000'000;  // of one message
constexpr std::size_t domains_max = 100'000;
constexpr double longest_seconds = 1e9;
constexpr std::size_t examples_max = 3;
constexpr std::size_t proposed_max = 10;
/// A From domain seen in fewer of a thousand messages is a visitor's.
constexpr std::uint64_t proposed_per_thousand = 10;

std::string text_of(const json::object& o, std::string_view key) {
    auto const* const value = o.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

const json::array& list_of(const json::object& o, std::string_view key) {
    static const json::array none;
    auto const* const value = o.if_contains(key);
    return value != nullptr && value->is_array() ? value->get_array() : none;
}

/// A whole number that one message may have of recipients, else 0.
std::uint64_t count_of(const json::value& value) {
    boost::system::error_code bad;
    auto const count = value.to_number<std::uint64_t>(bad);
    return bad ? 0 : std::min(count, recipients_max);
}

void add_capped(std::map<std::string, std::uint64_t>& counts,
                std::string key,
                std::size_t max,
                std::uint64_t n = 1) {
    auto const found = counts.find(key);
    if (found != counts.end()) {
        found->second += n;
    } else if (counts.size() < max) {
        counts.emplace(std::move(key), n);
    }
}

bool knows(const config::Settings& settings, const std::string& domain) {
    mail::Mailbox someone;
    someone.local_part = "someone";
    someone.domain = domain;
    return policy::is_known(settings.gate.known, someone);
}

}  // namespace

void ReportMaker::add(std::string_view line) {
    boost::system::error_code bad;
    auto const value = json::parse(line, bad);
    auto const* const o = bad ? nullptr : value.if_object();
    if (o == nullptr || text_of(*o, "event") != "message") {
        report_.skipped += line.empty() ? 0 : 1;
        return;
    }
    auto const verdict = text_of(*o, "verdict");
    if (verdict == "untouched") {
        ++report_.untouched;
        return;
    }
    ++report_.messages;
    auto const at = text_of(*o, "timestamp");
    report_.first = report_.first.empty() ? at : std::min(report_.first, at);
    report_.last = std::max(report_.last, at);
    bool const refused = verdict.ends_with("reject");
    auto const& changes = list_of(*o, "changes");
    ++(refused ? report_.refused : changes.empty() ? report_.clean : report_.mended);

    auto const sender = text_of(*o, "sender");
    auto const id = text_of(*o, "message_id");
    for (auto const& defect : list_of(*o, "defects")) {
        if (auto const* const d = defect.if_object()) {
            auto const code = text_of(*d, "code");
            if (!report_.rules.contains(code) && report_.rules.size() >= rules_max) {
                continue;
            }
            auto& rule = report_.rules[code];
            rule.what = text_of(*d, "detail");
            ++rule.messages;
            add_capped(rule.senders, sender.empty() ? "<>" : sender, senders_max);
            if (rule.examples.size() < examples_max) {
                rule.examples.push_back(id.empty() ? text_of(*o, "mta_queue_id") : id);
            }
        }
    }
    for (auto const& domain : list_of(*o, "from")) {
        if (domain.is_string()) {
            add_capped(report_.from, std::string(domain.get_string()), domains_max);
        }
    }
    if (auto const* const to = o->if_contains("to"); to != nullptr && to->is_object() && !refused) {
        for (auto const& destination : to->get_object()) {
            count_load(at.substr(0, 16), destination.key(), count_of(destination.value()));
        }
    }
}

/// The log is in order of time, so a minute that is over never comes again.
void ReportMaker::count_load(std::string_view minute,
                             std::string_view domain,
                             std::uint64_t recipients) {
    std::string const name(domain);
    if (!report_.destinations.contains(name) && report_.destinations.size() >= domains_max) {
        return;
    }
    auto& load = report_.destinations[name];
    auto& now = minutes_[name];
    double const rate = settings_.relay.delivery.messages_per_second;
    if (now.name != minute) {
        now.backlog = std::max(0.0, now.backlog - rate * 60);
        now.name = minute;
        now.recipients = 0;
    }
    now.recipients += recipients;
    now.backlog += static_cast<double>(recipients);
    load.recipients += recipients;
    load.busiest_minute = std::max(load.busiest_minute, now.recipients);
    if (rate > 0) {
        auto const wait = Duration(
            static_cast<std::int64_t>(std::min(now.backlog / rate, longest_seconds) * 1e9));
        load.longest_wait = std::max(load.longest_wait, wait);
    }
}

Report ReportMaker::finish() && {
    for (auto const& [domain, count] : report_.from) {
        if (knows(settings_, domain)) {
            report_.known.insert(domain);
        }
    }
    return std::move(report_);
}

std::vector<std::pair<std::string, std::uint64_t>> most(
    const std::map<std::string, std::uint64_t>& counts, std::size_t how_many) {
    std::vector<std::pair<std::string, std::uint64_t>> all(counts.begin(), counts.end());
    std::ranges::sort(all, [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    all.resize(std::min(all.size(), how_many));
    return all;
}

std::vector<std::pair<std::string, Load>> busiest(const Report& report, std::size_t how_many) {
    std::vector<std::pair<std::string, Load>> all(report.destinations.begin(),
                                                  report.destinations.end());
    std::ranges::sort(all, [](const auto& a, const auto& b) {
        return a.second.recipients != b.second.recipients
                   ? a.second.recipients > b.second.recipients
                   : a.first < b.first;
    });
    all.resize(std::min(all.size(), how_many));
    return all;
}

std::vector<std::string> proposal(const Report& report) {
    std::vector<std::string> found;
    for (auto const& [domain, count] : most(report.from, proposed_max)) {
        if (!report.known.contains(domain) && domain.find('.') != std::string::npos &&
            count * 1'000 >= report.messages * proposed_per_thousand) {
            found.push_back(domain);
        }
    }
    return found;
}

}  // namespace millrace::attach
