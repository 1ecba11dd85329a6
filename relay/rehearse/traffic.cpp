#include "relay/rehearse/traffic.hpp"

#include <algorithm>
#include <functional>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// Attempts that never got through, so far apart at least, are an outage.
constexpr Duration outage_least = 1min;
/// So much slower than our own settings allowed: then it was the receiver.
constexpr double clearly_slower = 0.7;
/// … and so much when only a few messages tell how long one takes.
constexpr double surely_slower = 0.25;
constexpr std::size_t enough_samples = 20;
constexpr std::size_t busy_slices_least = 3;
/// Others before one that still counts as alone.
constexpr std::ptrdiff_t alone_most = 2;
constexpr double greylisted_part = 0.5;

std::string domain_of(const std::string& address) {
    auto const at = address.rfind('@');
    auto name = at == std::string::npos ? std::string() : address.substr(at + 1);
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return name;
}

template <class T>
T quantile(std::vector<T>& values, double part) {
    auto const place = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, values.begin() + place);
    return values[static_cast<std::size_t>(place)];
}

}  // namespace

std::uint32_t Traffic::destination_of(const Event& event) {
    auto name = domain_of(event.recipient);
    if (name.empty()) name = "unknown.invalid";
    auto const [at, fresh] =
        by_destination_.try_emplace(name, static_cast<std::uint32_t>(destinations_.size()));
    if (fresh) destinations_.push_back({name, {}, {}, {}, {}, {}});
    auto& destination = destinations_[at->second];
    if (!event.site.empty()) destination.site = event.site;
    if (!event.provider.empty()) destination.provider = event.provider;
    return at->second;
}

std::uint32_t Traffic::stream_of(const Event& event, const std::string& destination) {
    Work work;
    work.destination = destination;
    work.klass = event.klass == "bulk" ? Class::bulk : Class::transactional;
    work.account = event.account;
    work.sender_domain = event.sender.empty() ? "<>" : domain_of(event.sender);
    if (work.sender_domain.empty()) work.sender_domain = "<>";
    auto name = stream_name(work);
    auto const [at, fresh] =
        by_stream_.try_emplace(std::move(name), static_cast<std::uint32_t>(streams_.size()));
    if (fresh) streams_.push_back(parse_stream(at->first));
    return at->second;
}

void Traffic::take(const Event& event) {
    bool const attempt = event.kind == EventKind::delivered || event.kind == EventKind::deferred ||
                         event.kind == EventKind::bounced || event.kind == EventKind::expired;
    if (!attempt && event.kind != EventKind::received) return;
    if (event.late) return;
    begin_ = std::min(begin_, event.at);
    end_ = std::max(end_, event.at);
    Key const key{event.message.value, std::hash<std::string>{}(event.recipient)};
    auto found = index_.find(key);
    if (found == index_.end()) {
        if (recipients_.size() >= recipients_most) {
            left_out_ += event.kind == EventKind::received ? 1 : 0;
            return;
        }
        found = index_.emplace(key, static_cast<std::uint32_t>(recipients_.size())).first;
        Recipient fresh;
        fresh.destination = destination_of(event);
        fresh.stream = stream_of(event, destinations_[fresh.destination].name);
        // Without its arrival: it was here when the events begin.
        fresh.seen = event.kind == EventKind::received;
        fresh.arrived = fresh.seen ? event.at : begin_;
        recipients_.push_back(fresh);
    }
    if (!attempt) return;
    auto& recipient = recipients_[found->second];
    auto& destination = destinations_[destination_of(event)];
    bool const unreached = event.kind == EventKind::deferred && event.smtp_code == 0;
    if (unreached) {
        // It was lost to us from when somebody wanted to get there.
        if (destination.lost.empty()) {
            destination.lost.push_back(std::max(destination.alive, recipient.arrived));
        }
        destination.lost.push_back(event.at);
        return;
    }
    destination.alive = event.at;
    if (!destination.lost.empty()) {
        auto const from = destination.lost.front(), to = destination.lost.back();
        if (to - from >= outage_least) destination.outages.emplace_back(from, to);
        destination.lost.clear();
    }
    if (recipient.tried == Time{}) {
        recipient.tried = event.at;
        if (event.kind == EventKind::deferred && event.smtp_code < 452)
            recipient.deferred = event.at;
    }
    if (event.kind != EventKind::deferred) {
        recipient.done = event.at;
        recipient.delivered = event.kind == EventKind::delivered;
    }
}

/// How long one takes, connecting included: those tell who had next to nobody before them.
Traffic::Measured Traffic::duration_of(std::vector<const Recipient*> mail) {
    std::ranges::sort(mail, [](const Recipient* l, const Recipient* r) {
        return std::pair(l->arrived, l->tried) < std::pair(r->arrived, r->tried);
    });
    std::vector<Time> tried;
    for (auto const* r : mail)
        tried.push_back(r->tried);
    std::ranges::sort(tried);
    std::vector<double> takes;
    for (std::size_t i = 0; i < mail.size(); ++i) {
        auto const& r = *mail[i];
        auto const done = std::ranges::upper_bound(tried, r.arrived) - tried.begin();
        auto const before = static_cast<std::ptrdiff_t>(i) - done;
        if (before > alone_most || !r.seen || !r.delivered || r.deferred != Time{}) continue;
        takes.push_back(seconds(r.done - r.arrived));
    }
    if (takes.empty()) return {};
    return {std::clamp(quantile(takes, 0.5), 0.01, 60.0), takes.size()};
}

/// The pace while there was always something to do, a second; 0: that was never so for long.
double Traffic::busy_pace(const std::vector<const Recipient*>& mail) {
    auto first = never;
    Time last{};
    for (auto const* r : mail) {
        first = std::min(first, r->tried);
        last = std::max(last, r->tried);
    }
    // Slices with some twenty messages each.
    auto const each = seconds(last - first) * 20 / static_cast<double>(mail.size());
    auto const slice = std::chrono::seconds(static_cast<int>(std::clamp(each, 5.0, 3600.0)));
    std::map<std::int64_t, std::int64_t> came, went;
    for (auto const* r : mail) {
        ++came[r->arrived.time_since_epoch() / slice];
        ++went[r->tried.time_since_epoch() / slice];
    }
    std::vector<double> busy;
    std::int64_t behind = 0;
    auto next = came.begin();
    for (auto const& [at, count] : went) {
        for (; next != came.end() && next->first < at; ++next)
            behind += next->second;
        behind -= count;
        if (behind > 0) busy.push_back(static_cast<double>(count) / seconds(slice));
    }
    return busy.size() < busy_slices_least ? 0 : quantile(busy, 0.6);
}

/// What kind of receiver does this to such mail?
HiddenLimits Traffic::model(const std::vector<const Recipient*>& all, const Ceilings& then) {
    HiddenLimits limits;
    std::vector<const Recipient*> mail;
    std::vector<double> waits;
    std::size_t refused = 0;
    for (auto const* r : all) {
        if (r->tried == Time{}) continue;
        mail.push_back(r);
        refused += r->done != Time{} && !r->delivered ? 1 : 0;
        if (r->deferred != Time{} && r->delivered) waits.push_back(seconds(r->done - r->deferred));
    }
    if (mail.empty()) return limits;
    auto [duration, samples] = duration_of(mail);
    if (auto const pace = busy_pace(mail); pace > 0) {
        auto ours = then.connections / duration;
        if (then.messages_per_second > 0) ours = std::min(ours, then.messages_per_second);
        auto const slower = samples >= enough_samples ? clearly_slower : surely_slower;
        if (pace < slower * ours) {
            limits.messages_per_second = pace / 0.97;
            limits.burst = std::max(1.0, 2 * pace);
        } else if (then.messages_per_second <= 0) {
            // All our connections were at it, all the time.
            duration = then.connections / pace;
        }
    }
    auto const part = [&](std::size_t n) {
        return static_cast<double>(n) / static_cast<double>(mail.size());
    };
    limits.unknown_users = part(refused);
    if (part(waits.size()) > greylisted_part) {
        limits.greylist = Duration(static_cast<Duration::rep>(quantile(waits, 0.1) * 0.9e9));
    }
    limits.message = Duration(static_cast<Duration::rep>(duration * 0.8e9));
    limits.reply = Duration(static_cast<Duration::rep>(std::min(duration * 0.2, 0.2) * 1e9));
    return limits;
}

RehearsalSetup Traffic::setup(const RuleBook& book,
                              const ScheduleLimits& then,
                              const std::map<std::string, Belief>& learned) const {
    RehearsalSetup s;
    s.begin = begin_;
    std::map<std::string, std::size_t> receivers;  ///< by provider
    std::vector<std::vector<const Recipient*>> mail;
    for (auto const& destination : destinations_) {
        auto const site = destination.site.empty() ? destination.name : destination.site;
        auto provider = destination.provider;
        if (provider.empty()) provider = book.provider_of(destination.name, {}, {});
        if (provider.empty()) provider = site;
        auto const [at, fresh] = receivers.try_emplace(provider, receivers.size());
        if (fresh) {
            mail.emplace_back();
            s.receivers.emplace_back(provider, HiddenLimits{});
        }
        s.places.push_back({destination.name, {site, provider, {}, {}}, at->second});
    }
    for (auto const& recipient : recipients_) {
        mail[s.places[recipient.destination].receiver].push_back(&recipient);
    }
    for (std::size_t i = 0; i < s.receivers.size(); ++i) {
        auto& [name, limits] = s.receivers[i];
        auto const ceilings = then.providers.find(name);
        limits =
            model(mail[i], ceilings == then.providers.end() ? then.per_site : ceilings->second);
        auto const belief = learned.find(name);
        if (belief == learned.end() || !belief->second.known()) continue;
        auto known = belief->second.likely();
        known.unknown_users = limits.unknown_users;
        known.greylist = limits.greylist;
        limits = known;
    }
    for (std::size_t i = 0; i < destinations_.size(); ++i) {
        auto const receiver = s.places[i].receiver;
        for (auto const& [from, to] : destinations_[i].outages) {
            auto down = s.receivers[receiver].second;
            down.down = true;
            s.changes.push_back({from, receiver, down});
            s.changes.push_back({to, receiver, s.receivers[receiver].second});
        }
    }
    std::ranges::sort(s.changes, {}, &RehearsalSetup::Change::at);
    s.mail.reserve(recipients_.size());
    for (auto const& recipient : recipients_) {
        s.mail.push_back({recipient.arrived, streams_[recipient.stream], 1, !recipient.seen});
    }
    std::ranges::sort(s.mail, {}, &RehearsalSetup::Mail::at);
    return s;
}

}  // namespace millrace::relay
