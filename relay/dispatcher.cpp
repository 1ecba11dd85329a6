#include "relay/dispatcher.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/base/check.hpp"
#include "common/base/planted.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// No route: when the router is asked again.
constexpr Duration undeliverable_for = 5min;
constexpr Duration unknown_for = 1min;
/// A spool that refuses a result for the moment is asked again.
constexpr Duration commit_again = 1s;
/// A spool that broke under somebody who could not say so is found out after this.
constexpr Duration watch_spool_every = 5s;
constexpr std::size_t routes_kept = 8'192;

ScheduleLimits limits_of(const config::Relay& relay) {
    ScheduleLimits limits;
    limits.lane.connections = relay.delivery.connections_per_site;
    limits.lane.connections_per_second = relay.delivery.connections_per_second;
    limits.lane.messages_per_second = relay.delivery.messages_per_second;
    limits.connections_total = relay.delivery.connections_total;
    limits.window = relay.limits.window;
    return limits;
}

SettlementRules rules_of(const config::Relay& relay) {
    auto const after = relay.delivery.delay_notice_after;
    return {{relay.delivery.retry, relay.delivery.expire_after},
            after > Duration::zero() ? after : Duration::max()};
}

RecipientOutcome outcome_of(const Undeliverable& routing) {
    RecipientOutcome outcome;
    outcome.kind = OutcomeKind::bounced;
    outcome.phase = Phase::connect;
    outcome.enhanced = routing.enhanced;
    outcome.text = routing.reason;
    return outcome;
}

RecipientOutcome outcome_of(const Unknown& routing) {
    RecipientOutcome outcome;
    outcome.kind = OutcomeKind::deferred;
    outcome.phase = Phase::connect;
    outcome.enhanced = routing.enhanced;
    outcome.text = routing.reason;
    return outcome;
}

}  // namespace

Dispatcher::Dispatcher(DispatcherParts parts,
                       config::Snapshot settings,
                       std::function<void(const Committed&)> on_events,
                       std::function<void(std::string)> on_broken)
    : parts_(parts),
      settings_(std::move(settings)),
      rules_(rules_of(settings_->relay)),
      on_events_(std::move(on_events)),
      on_broken_(std::move(on_broken)),
      scheduler_(limits_of(settings_->relay)),
      changed_(parts.executor),
      work_(parts.executor, parts.log, "dispatch"),
      connections_(parts.executor, parts.log, "delivery"),
      readers_(parts.executor, parts.log, "delivery-reader"),
      timers_(parts.executor, parts.log, "dispatch-timers"),
      delivered_(parts.metrics.counter("millrace_attempts_total",
                                       "Recipients by outcome of an attempt.",
                                       "outcome=\"delivered\"")),
      deferred_(parts.metrics.counter("millrace_attempts_total",
                                      "Recipients by outcome of an attempt.",
                                      "outcome=\"deferred\"")),
      bounced_(parts.metrics.counter("millrace_attempts_total",
                                     "Recipients by outcome of an attempt.",
                                     "outcome=\"bounced\"")),
      double_bounces_(parts.metrics.counter(
          "millrace_double_bounces_total",
          "Recipients of mail without a sender that could not be delivered: nobody was told.",
          "")) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::start() {
    timers_.spawn(run());
    timers_.spawn(watch_spool());
}

void Dispatcher::configure(config::Snapshot settings) {
    settings_ = std::move(settings);
    rules_ = rules_of(settings_->relay);
    scheduler_.configure(limits_of(settings_->relay), parts_.clock.now());
    poke();
}

void Dispatcher::arrived(const NewMail& mail) {
    scheduler_.arrived(
        mail.works, scheduler_.keep_hot(mail.envelope, mail.body), parts_.clock.now());
    poke();
}

void Dispatcher::noticed(const std::string& destination, Time due) {
    scheduler_.noticed(destination, due);
    poke();
}

void Dispatcher::changed(const Batch& batch) {
    for (auto const& done : batch.finish) {
        scheduler_.finished(done.key);
    }
    for (auto const& change : batch.change) {
        scheduler_.deferred(change.work);
    }
    for (auto const& mail : batch.append) {
        arrived(mail);
    }
    poke();
}

void Dispatcher::unchanged(const std::vector<Work>& claimed) {
    for (auto const& work : claimed) {
        scheduler_.deferred(work);
    }
    poke();
}

// ---- the loop

Task<void> Dispatcher::run() {
    co_await load_backlog();
    while (!stopping_) {
        auto plan = scheduler_.plan(parts_.clock.now());
        for (auto& destination : plan.resolve) {
            work_.spawn(resolve(std::move(destination)));
        }
        for (auto& wanted : plan.refill) {
            work_.spawn(refill(std::move(wanted)));
        }
        for (auto& site : plan.connect) {
            connections_.spawn(connection(std::move(site)));
        }
        for (auto const& site : plan.wake) {
            auto& waiting = idle_[site];
            MILLRACE_CHECK(!waiting.empty());
            auto const one =
                waiting.back();  // the one that was used last: its connection is the freshest
            waiting.pop_back();
            one->woken = true;
            one->signal.notify();
        }
        make_room();
        if (plan.wake_at < alarm_at_) {
            alarm_at_ = plan.wake_at;
            timers_.spawn(alarm(plan.wake_at));
        }
        co_await changed_.wait();
    }
}

/// A note, a look at the queue or the store's own housekeeping can break it just as a commit can,
/// and without commits nobody might hear of it for hours: nothing could be sent, nothing kept.
Task<void> Dispatcher::watch_spool() {
    while (!broken_) {
        co_await parts_.clock.sleep(watch_spool_every);
        if (auto const health = parts_.spool.health(); health.broken) give_up(health.why);
    }
}

void Dispatcher::give_up(const std::string& why) {
    if (std::exchange(broken_, true)) return;
    on_broken_(why);
}

/// The total is for all sites: a connection that waits for more work must not keep others waiting.
void Dispatcher::make_room() {
    while (leaving_ < scheduler_.starved_sites()) {
        auto oldest = idle_.end();
        for (auto at = idle_.begin(); at != idle_.end(); ++at) {
            if (at->second.empty()) continue;
            if (oldest == idle_.end() || at->second.front()->since < oldest->second.front()->since)
                oldest = at;
        }
        if (oldest == idle_.end()) return;
        auto const one = oldest->second.front();
        oldest->second.pop_front();
        one->dismissed = true;
        one->signal.notify();
        scheduler_.idle_ended(oldest->first);
        ++leaving_;
    }
}

Task<void> Dispatcher::alarm(Time at) {
    co_await parts_.clock.sleep_until(at);
    if (alarm_at_ == at) {
        alarm_at_ = never;
    }
    poke();
}

Task<void> Dispatcher::load_backlog() {
    while (!stopping_) {
        auto const destinations = co_await parts_.spool.summary();
        if (destinations) {
            for (auto const& d : *destinations) {
                if (d.count > 0) {
                    scheduler_.noticed(d.destination, d.next_due);
                }
            }
            break;
        }
        parts_.log.error("spool.summary-failed", {{"why", destinations.error().detail}});
        co_await parts_.clock.sleep(commit_again);
    }
    loading_ = false;
}

Task<void> Dispatcher::resolve(std::string destination) {
    auto const routing = co_await parts_.router.route(destination);
    auto const now = parts_.clock.now();
    if (routes_.size() > routes_kept) {
        std::erase_if(routes_, [&](auto const& entry) {
            auto const* const route = std::get_if<Route>(&entry.second);
            return route == nullptr || route->valid_until < now;
        });
    }
    if (auto const* const route = std::get_if<Route>(&routing)) {
        bool const fresh = !routes_.contains(route->site);
        routes_.insert_or_assign(route->site, *route);
        if (fresh) {
            if (auto const note = co_await parts_.spool.note(pause_note(route->site))) {
                auto const until = from_unix_millis(std::strtoll(note->c_str(), nullptr, 10));
                if (until > now && !planted("throttle-forgotten")) {
                    scheduler_.pause(
                        route->site, until, "the receiver asked for patience before the restart");
                }
            }
        }
        scheduler_.routed(destination, route->site, route->valid_until, parts_.clock.now());
    } else {
        auto const site = "!" + destination;
        bool const permanent = std::holds_alternative<Undeliverable>(routing);
        routes_.insert_or_assign(site,
                                 permanent ? outcome_of(std::get<Undeliverable>(routing))
                                           : outcome_of(std::get<Unknown>(routing)));
        scheduler_.routed(
            destination, site, now + (permanent ? undeliverable_for : unknown_for), now);
    }
    poke();
}

Task<void> Dispatcher::refill(Plan::Refill wanted) {
    auto works = co_await parts_.spool.due(wanted.destination, never, wanted.after, wanted.max);
    auto const now = parts_.clock.now();
    if (works) {
        scheduler_.refilled(wanted.destination, std::move(*works), wanted.max, now);
    } else {
        parts_.log.error("spool.read-failed",
                         {{"destination", wanted.destination}, {"why", works.error().detail}});
        scheduler_.refill_failed(wanted.destination, now + commit_again);
    }
    poke();
}

}  // namespace millrace::relay
