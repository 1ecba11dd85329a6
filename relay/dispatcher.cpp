#include "relay/dispatcher.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/base/check.hpp"
#include "common/base/planted.hpp"
#include "relay/schedule/limits.hpp"

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

SettlementRules rules_of(const config::Relay& relay) {
    auto const after = relay.delivery.delay_notice_after;
    return {{relay.delivery.retry, relay.delivery.expire_after},
            after > Duration::zero() ? after : Duration::max()};
}

/// What tells whose a site is. A route of the operator's is what he says it is.
SiteFacts facts_of(const Route& route) {
    SiteFacts facts;
    facts.site = route.site;
    for (auto const& group : route.groups) {
        for (auto const& host : group) {
            if (host.port != 25) continue;
            facts.hosts.push_back(host.name);
            facts.addresses.insert(
                facts.addresses.end(), host.addresses.begin(), host.addresses.end());
        }
    }
    return facts;
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

/// The settings were proved before they came here; if their rules fail all the same, the shipped
/// ones hold.
std::shared_ptr<const RuleBook> book_of(const config::Relay& relay) {
    auto book = RuleBook::compile(relay.shaping_rules, ceilings_of(relay.delivery));
    return book ? *std::move(book) : shipped_book();
}

}  // namespace

Dispatcher::Dispatcher(DispatcherParts parts,
                       config::Snapshot settings,
                       std::function<void(const Committed&)> on_events,
                       std::function<void(std::string)> on_broken)
    : parts_(parts),
      settings_(std::move(settings)),
      book_(book_of(settings_->relay)),
      rules_(rules_of(settings_->relay)),
      on_events_(std::move(on_events)),
      on_broken_(std::move(on_broken)),
      scheduler_(limits_of(settings_->relay, *book_)),
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
    timers_.spawn(keep_learned());
    timers_.spawn(watch_ages());
    timers_.spawn(watch_names());
}

void Dispatcher::configure(config::Snapshot settings) {
    settings_ = std::move(settings);
    book_ = book_of(settings_->relay);
    rules_ = rules_of(settings_->relay);
    scheduler_.configure(limits_of(settings_->relay, *book_), parts_.clock.now());
    timers_.spawn(look_up_names());
    poke();
}

void Dispatcher::arrived(const NewMail& mail) {
    scheduler_.arrived(
        mail.works, scheduler_.keep_hot(mail.envelope, mail.body), parts_.clock.now());
    poke();
}

void Dispatcher::noticed(const std::string& stream, Time due) {
    scheduler_.noticed(stream, due);
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
    co_await load_orders();
    co_await load_sites();
    co_await load_warm();
    co_await load_backlog();
    while (!stopping_) {
        auto plan = scheduler_.plan(parts_.clock.now());
        for (auto& destination : plan.resolve) {
            work_.spawn(resolve(std::move(destination)));
        }
        for (auto& wanted : plan.refill) {
            work_.spawn(refill(std::move(wanted)));
        }
        for (auto& lane : plan.connect) {
            connections_.spawn(connection(std::move(lane)));
        }
        for (auto& wanted : plan.promises) {
            work_.spawn(promise(std::move(wanted)));
        }
        for (auto const& lane : plan.dismiss) {
            dismiss(idle_.find(lane));
        }
        for (auto const& lane : plan.wake) {
            auto& waiting = idle_[lane];
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
    while (leaving_ < scheduler_.starved_lanes()) {
        auto oldest = idle_.end();
        for (auto at = idle_.begin(); at != idle_.end(); ++at) {
            if (at->second.empty()) continue;
            if (oldest == idle_.end() || at->second.front()->since < oldest->second.front()->since)
                oldest = at;
        }
        if (oldest == idle_.end()) return;
        dismiss(oldest);
    }
}

/// The one that has waited longest.
void Dispatcher::dismiss(Waiting::iterator lane) {
    if (lane == idle_.end() || lane->second.empty()) return;
    auto const one = lane->second.front();
    lane->second.pop_front();
    one->dismissed = true;
    one->signal.notify();
    scheduler_.idle_ended(lane->first);
    ++leaving_;
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
                    scheduler_.noticed(d.stream, d.next_due);
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
    auto name = destination;
    auto const place = co_await whereabouts(std::move(name));
    scheduler_.routed(destination,
                      place.site,
                      place.provider,
                      place.valid_until,
                      parts_.clock.now(),
                      place.there,
                      place.direct);
    poke();
}

Task<Dispatcher::Whereabouts> Dispatcher::whereabouts(std::string destination) {
    auto const routing = co_await parts_.router.route(destination);
    auto const now = parts_.clock.now();
    if (routes_.size() > routes_kept) {
        std::erase_if(routes_, [&](auto const& entry) {
            auto const* const route = std::get_if<Route>(&entry.second);
            return route == nullptr || route->valid_until < now;
        });
    }
    if (auto const* const route = std::get_if<Route>(&routing)) {
        routes_.insert_or_assign(route->site, *route);
        auto facts = facts_of(*route);
        // A smart host is not whom it carries mail to.
        bool const direct = !route->login && route->site.find(':') == std::string::npos;
        facts.declared = book_->provider_of(
            direct ? destination : std::string(), facts.hosts, facts.addresses);
        auto const provider = providers_.provider_of(facts, now);
        if (providers_.touch(facts.site, now) &&
            (facts.declared.empty() || greylist_.wait(facts.site))) {
            unsaved_sites_.insert(facts.site);
        }
        auto place =
            Whereabouts{route->site, provider, {}, route->valid_until, families_of(*route), direct};
        co_await recall(provider);
        co_return place;
    }
    auto const site = "!" + destination;
    bool const permanent = std::holds_alternative<Undeliverable>(routing);
    auto outcome = permanent ? outcome_of(std::get<Undeliverable>(routing))
                             : outcome_of(std::get<Unknown>(routing));
    auto why = outcome.text;
    routes_.insert_or_assign(site, std::move(outcome));
    // Nobody is there: whichever source it is.
    co_return Whereabouts{site,
                          site,
                          std::move(why),
                          now + (permanent ? undeliverable_for : unknown_for),
                          Families{.v4 = true, .v6 = true, .loopback = true},
                          false};
}

Task<void> Dispatcher::refill(Plan::Refill wanted) {
    auto works = co_await parts_.spool.due(wanted.stream, never, wanted.after, wanted.max);
    auto const now = parts_.clock.now();
    if (works) {
        scheduler_.refilled(wanted.stream, std::move(*works), wanted.max, now);
    } else {
        parts_.log.error("spool.read-failed",
                         {{"stream", parse_stream(wanted.stream).destination}, {"why", works.error().detail}});
        scheduler_.refill_failed(wanted.stream, now + commit_again);
    }
    poke();
}

}  // namespace millrace::relay
