// The part of the scheduler that keeps lanes and shares: whose turn it is, and who may connect.
#include <algorithm>

#include "common/base/check.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t works_per_connection =
    8;  // one more connection for each so many ready works …
constexpr std::size_t portion_per_work = 25;  // … or fewer, where the window lets in only a few
/// A connection per message would be impolite; one that idles for longer is, too.
constexpr Duration kept_idle_most = std::chrono::seconds(30);
/// Without work for so long, what a receiver lets through measures nothing.
constexpr Duration quiet_for = std::chrono::seconds(2);
constexpr unsigned bulk_turn = 8;  // bulk goes first on every eighth pick, so it never starves
/// A connection that others wait for may be used so long; bulk waits eight times as long for mail
/// that is urgent.
constexpr Duration turn_length = std::chrono::seconds(10);
/// Whoever waits for what another one measures looks so often.
constexpr Duration followed_every = std::chrono::seconds(1);
/// So many lanes that wait for a connection are enough to know of at a time.
constexpr unsigned starved_known = 8;

/// How long a site that could not be reached is left alone.
Duration outage_pause(unsigned failures) {
    using namespace std::chrono_literals;
    static constexpr std::array<Duration, 6> steps{30s, 1min, 2min, 5min, 10min, 15min};
    return steps[std::min<std::size_t>(failures == 0 ? 0 : failures - 1, steps.size() - 1)];
}

}  // namespace

std::string Scheduler::share_name(const std::string& source, const std::string& provider) {
    return source.empty() ? provider : source + " " + provider;
}

const Ceilings& Scheduler::ceilings_of(const std::string& provider) const {
    auto const at = limits_.providers.find(provider);
    return at == limits_.providers.end() ? limits_.per_site : at->second;
}

ShareState& Scheduler::share_of(const std::string& source, const std::string& provider, Time now) {
    auto const name = share_name(source, provider);
    auto const [at, fresh] =
        shares_.try_emplace(name, name, source, provider, ceilings_of(provider), now);
    if (fresh) set_rations(at->second, now);
    return at->second;
}

Lane& Scheduler::lane_of(const std::string& source, const Destination& destination, Time now) {
    auto& share = share_of(source, destination.provider, now);
    auto const& site = destination.site;
    auto const name = source.empty() ? site : source + " " + site;
    auto const [at, fresh] = lanes_.try_emplace(name, name, site, share, limits_.per_site, now);
    auto& lane = at->second;
    lane.direct = destination.direct;
    if (fresh) {
        share.lanes.insert(&lane);
        lane.ticket = ++share.tickets;
    }
    if (lane.share != &share && lane.connections() == 0) {
        // The provider has become another one: nothing of ours is open there.
        leave_ring(lane);
        lane.share->lanes.erase(&lane);
        lane.share = &share;
        lane.ticket = ++share.tickets;
        share.lanes.insert(&lane);
        enter_ring(lane);
        for (auto& [of, stream] : streams_) {
            if (stream.lane == &lane) recount(stream);
        }
    }
    return lane;
}

// ---- turns

/// Keeps the count of what the stream's share has in memory.
void Scheduler::recount(StreamQueue& stream) {
    auto* const share = stream.lane == nullptr ? nullptr : stream.lane->share;
    auto const klass = stream.bulk() ? 1U : 0U;
    if (stream.counted_for != nullptr) stream.counted_for->ready[klass] -= stream.counted;
    stream.counted = share == nullptr ? 0 : stream.ready.size();
    stream.counted_for = share;
    if (share != nullptr) share->ready[klass] += stream.counted;
}

void Scheduler::counted(StreamQueue& stream, int works) {
    recount(stream);
    if (!stream.in_turns) return;
    stream.lane->ready[stream.bulk() ? 1 : 0] += static_cast<std::size_t>(works);
}

void Scheduler::enter_turns(StreamQueue& stream) {
    if (stream.in_turns || stream.ready.empty()) return;
    auto const klass = stream.bulk() ? 1U : 0U;
    stream.lane->turns[klass].enter(stream);
    stream.lane->ready[klass] += stream.ready.size();
    enter_ring(*stream.lane);
}

void Scheduler::leave_turns(StreamQueue& stream) {
    if (!stream.in_turns) return;
    auto const klass = stream.bulk() ? 1U : 0U;
    stream.lane->turns[klass].leave(stream);
    stream.lane->ready[klass] -= stream.ready.size();
    enter_ring(*stream.lane);
}

/// Keeps the lane in the rings of its share just while it has work of that class.
void Scheduler::enter_ring(Lane& lane) {
    for (unsigned klass = 0; klass < 2; ++klass) {
        auto& ring = lane.share->ring[klass];
        bool const wanted = !lane.turns[klass].empty();
        if (wanted == lane.in_ring[klass]) continue;
        if (wanted) {
            ring.emplace(lane.ticket, &lane);
        } else {
            ring.erase(lane.ticket);
        }
        lane.in_ring[klass] = wanted;
    }
    if (!lane.in_ring[0] && !lane.in_ring[1]) set_starved(lane, std::nullopt);
}

void Scheduler::set_starved(Lane& lane, std::optional<unsigned> klass) {
    if (lane.starved) --lane.share->starved[*lane.starved];
    lane.starved = klass;
    if (klass) ++lane.share->starved[*klass];
}

void Scheduler::leave_ring(Lane& lane) {
    set_starved(lane, std::nullopt);
    for (unsigned klass = 0; klass < 2; ++klass) {
        if (std::exchange(lane.in_ring[klass], false)) lane.share->ring[klass].erase(lane.ticket);
    }
}

/// It has had its turn, and goes behind all others.
void Scheduler::renew_ticket(Lane& lane) {
    auto& share = *lane.share;
    auto const before = std::exchange(lane.ticket, ++share.tickets);
    for (unsigned klass = 0; klass < 2; ++klass) {
        if (!lane.in_ring[klass]) continue;
        share.ring[klass].erase(before);
        share.ring[klass].emplace_hint(share.ring[klass].end(), lane.ticket, &lane);
    }
}

void Scheduler::leave_lane(StreamQueue& stream) {
    if (stream.lane == nullptr) {
        return;
    }
    leave_turns(stream);
    auto const name = stream.lane->name;
    --stream.lane->queues;
    stream.lane = nullptr;
    recount(stream);
    tidy(name);
}

StreamQueue* Scheduler::turn(Lane& lane, Time now) {
    auto& share = lane.share->share;
    while (lane.waiting() > 0) {
        bool const bulk_first = lane.transactional_streak >= bulk_turn;
        auto const klass =
            (bulk_first && !lane.turns[1].empty()) || lane.turns[0].empty() ? 1U : 0U;
        auto& stream = lane.turns[klass].next();
        if (now >= stream.destination.route_until) {
            leave_turns(stream);
            attend(stream, now);
            continue;
        }
        if (list_held(stream)) {
            leave_turns(stream);
            continue;
        }
        auto const& domain = stream.key.sender_domain;
        if (auto const at = share.sender_at(domain, now); at > now) {
            leave_turns(stream);
            // Another sender's measure may end its rest sooner.
            attend(stream, share.sender_follows(domain) ? std::min(at, now + followed_every) : at);
            continue;
        }
        if (share.sender_crowded(domain)) {
            leave_turns(stream);
            lane.share->crowded.insert(stream.name);
            continue;
        }
        if (stopped_until(stream, now) > now) {
            leave_turns(stream);
            attend(stream, now);
            continue;
        }
        if (!covered(stream, now)) {
            leave_turns(stream);
            continue;
        }
        lane.transactional_streak = klass == 1 ? 0 : lane.transactional_streak + 1;
        return &stream;
    }
    return nullptr;
}

bool Scheduler::lane_open(const Lane& lane, Time now) const {
    auto const& share = lane.share->share;
    return now >= lane.paused_until && lane.message_rate.ready(now) &&
           share.message_at(now) <= now && !share.crowded(now);
}

/// Another site waits for a connection that the provider does not grant: this one has only bulk and
/// that one is urgent, or this one has had its turn.
bool Scheduler::needed_elsewhere(const Lane& lane, Time now) const {
    auto const& state = *lane.share;
    if (state.starved[0] + state.starved[1] <= state.leaving) return false;
    // There is one left: they get it without ours. And nobody opens a connection for nothing.
    if (lane.turn_sent == 0 || state.share.connections_more(now) > 0) return false;
    bool const urgent = !lane.turns[0].empty();
    auto const held = now - lane.turn_began;
    unsigned waiting = 0;
    if (!urgent || held >= turn_length) waiting += state.starved[0];
    if (held >= (urgent ? bulk_turn : 1) * turn_length) waiting += state.starved[1];
    return waiting > state.leaving;
}

Next Scheduler::next(const std::string& name, unsigned max, Time now) {
    auto& lane = lanes_.at(name);
    auto& state = *lane.share;
    if (needed_elsewhere(lane, now)) {
        // Only bulk waits: then it is its turn.
        if (state.starved[0] == 0) state.transactional_streak = bulk_turn;
        ++lane.leaving;
        ++state.leaving;
        return {.pick = std::nullopt, .leave = true};
    }
    if (lane_open(lane, now)) {
        if (auto* const stream = turn(lane, now)) {
            lane.message_rate.take(now);
            ++lane.turn_sent;
            state.share.message_begins(stream->key.sender_domain, now);
            take_rations(*stream, now);
            // Bulk goes out one recipient at a time: each has his own bounce address and his own
            // fate.
            auto pick = take_front(*stream, stream->bulk() ? 1 : max);
            begin_flight(*stream, pick);
            return {.pick = std::move(pick), .leave = false};
        }
    }
    ++lane.idle;
    ++state.idle;
    attend(state, std::max({now, lane.paused_until, lane.message_rate.next(now)}));
    return {};
}

// ---- service

void Scheduler::serve(ShareState& state, Time now, Plan& plan) {
    if (state.ring[0].empty() && state.ring[1].empty()) {
        // A route that is looked up again, or a read of the disk, is no lack of work.
        if (!state.pressed || state.share.in_flight() > 0) return;
        if (state.quiet_since == Time{}) state.quiet_since = now;
        if (now - state.quiet_since < quiet_for) {
            attend(state, state.quiet_since + quiet_for);
            return;
        }
        state.share.lapse(now);
        state.pressed = false;
        return;
    }
    state.pressed = true;
    state.quiet_since = {};
    if (auto const at = state.share.message_at(now); at > now) {
        attend(state, at);
        return;
    }
    if (state.share.crowded(now)) return;
    // One connection more for each lane that wants one, and again, while there are any; urgent
    // lanes first.
    for (auto again = Service::given; again == Service::given;) {
        bool const bulk_first = state.transactional_streak >= bulk_turn;
        again = serve_ring(state, bulk_first ? 1 : 0, now, plan);
        if (again == Service::spent) return;
        auto const rest = serve_ring(state, bulk_first ? 0 : 1, now, plan);
        if (rest == Service::spent) return;
        if (rest == Service::given) again = rest;
    }
}

Scheduler::Service Scheduler::serve_ring(ShareState& state, unsigned klass, Time now, Plan& plan) {
    auto& ring = state.ring[klass];
    auto result = Service::content;
    unsigned starved = 0;
    auto at = ring.begin();
    // Those that wait at a pace have idle connections, and are to be found behind.
    for (auto left = ring.size(); left > 0; --left) {
        if (starved >= starved_known && state.idle == 0) break;
        auto& lane = *(at++)->second;
        if (klass == 1 && lane.in_ring[0]) continue;
        auto const service = serve(lane, now, plan);
        if (service == Service::starved) {
            ++starved;
            continue;
        }
        // Whoever has got nothing keeps his place.
        if (service == Service::waits) continue;
        renew_ticket(lane);
        if (service == Service::spent) return service;
        if (service == Service::given) {
            result = service;
            state.transactional_streak = klass == 1 ? 0 : state.transactional_streak + 1;
        }
    }
    return result;
}

Scheduler::Service Scheduler::serve(Lane& lane, Time now, Plan& plan) {
    auto& state = *lane.share;
    set_starved(lane, std::nullopt);
    if (lane.waiting() == 0) return Service::content;
    if (auto const at = std::max(lane.paused_until, lane.message_rate.next(now)); at > now) {
        attend(state, at);
        return Service::content;
    }
    bool const paced = state.share.messages().known() || state.share.messages().one_at_a_time() ||
                       state.share.block().on_trial();
    auto covered = std::size_t{0};
    while (lane.idle > 0 && covered < lane.waiting()) {
        --lane.idle;
        --state.idle;
        ++covered;
        plan.wake.push_back(lane.name);
        // It takes the one token there is; whether there is more is seen after that.
        if (paced) return Service::spent;
    }
    auto const each =
        std::clamp<std::size_t>(portion() / portion_per_work, 1, works_per_connection);
    auto wanted =
        std::min<std::size_t>({limits_.per_site.connections, 1 + (lane.waiting() - 1) / each});
    if (lane.message_rate.limited()) {
        // So many are under way at that rate.
        auto const busy =
            limits_.per_site.messages_per_second * std::max(1.0, 1.5 * state.share.took());
        wanted = std::min(wanted, static_cast<std::size_t>(busy) + 1);
    }
    return lane.connections() < wanted ? open_one(lane, now, plan) : Service::content;
}

Scheduler::Service Scheduler::open_one(Lane& lane, Time now, Plan& plan) {
    auto& state = *lane.share;
    auto const shared = state.share.connect_at(now);
    auto const at = std::max({lane.connect_after, lane.connection_rate.next(now), shared});
    if (at > now) {
        attend(state, at);
        return shared > now && lane.connections() == 0 ? Service::waits : Service::content;
    }
    if (state.share.connections_more(now) == 0) {
        if (lane.connections() > 0) return Service::content;
        set_starved(lane, lane.in_ring[0] ? 0 : 1);
        make_room(state, plan);
        return Service::starved;
    }
    if (connections_ >= limits_.connections_total) {
        wants_connection_.insert(lane.name);
        return Service::content;
    }
    if (lane.connections() == 0) {
        lane.turn_began = now;
        lane.turn_sent = 0;
    }
    lane.connection_rate.take(now);
    state.share.opening_begins(now);
    ++lane.opening;
    ++connections_;
    plan.connect.push_back(lane.name);
    return Service::given;
}

/// A connection that waits for more work of its site must not keep another site waiting.
void Scheduler::make_room(ShareState& state, Plan& plan) {
    if (state.idle == 0 || state.starved[0] + state.starved[1] <= state.leaving) return;
    for (auto* const lane : state.lanes) {
        if (lane->idle == 0 || lane->waiting() > 0) continue;
        if (std::ranges::find(plan.dismiss, lane->name) != plan.dismiss.end()) continue;
        plan.dismiss.push_back(lane->name);
        ++lane->leaving;
        ++state.leaving;
        return;
    }
}

// ---- connections

Duration Scheduler::worth_keeping(const std::string& name, Time now) const {
    auto const& lane = lanes_.at(name);
    if (lane.waiting() == 0) return {};
    auto const at = std::max(
        {lane.paused_until, lane.message_rate.next(now), lane.share->share.message_at(now)});
    return at - now > kept_idle_most ? Duration{} : at - now + std::chrono::seconds(1);
}

void Scheduler::greeted(const std::string& name, Time now) {
    auto& lane = lanes_.at(name);
    --lane.opening;
    ++lane.standing;
    lane.failures = 0;
    lane.share->share.greeted(now);
    attend(*lane.share, now);
}

void Scheduler::not_greeted(const std::string& name, const Answer& answer, Time now) {
    auto& lane = lanes_.at(name);
    --lane.opening;
    --connections_;
    lane.share->share.opening_ends();
    refused(lane, answer, now);
}

void Scheduler::not_tried(const std::string& name, Time until, std::string reason, Time now) {
    auto& lane = lanes_.at(name);
    --lane.opening;
    --connections_;
    lane.share->share.opening_ends();
    pause(name, until, std::move(reason));
    attend(*lane.share, now);
}

void Scheduler::unreachable(const std::string& name, std::string reason, Time now) {
    auto& lane = lanes_.at(name);
    --lane.opening;
    --connections_;
    lane.share->share.opening_ends();
    if (now >= lane.connect_after) {
        ++lane.failures;
        lane.connect_after = now + outage_pause(lane.failures);
        lane.pause_reason = std::move(reason);
        // A receiver that comes back is not flooded.
        if (lane.share->lanes.size() == 1) lane.share->share.slow_start(now);
    }
    attend(*lane.share, now);
}

std::vector<Pick> Scheduler::take_all(const std::string& name) {
    std::vector<Pick> picks;
    auto const at = lanes_.find(name);
    if (at == lanes_.end()) {
        return picks;
    }
    for (auto& turns : at->second.turns) {
        while (!turns.empty()) {
            auto& stream = turns.front();
            picks.push_back(take_front(stream, ~0U));
            begin_flight(stream, picks.back());
        }
    }
    return picks;
}

void Scheduler::ended(const Pick& pick, Time now) {
    auto& lane = lanes_.at(pick.lane);
    auto const domain = parse_stream(pick.stream).sender_domain;
    lane.share->share.message_ends(domain);
    for (auto const& name : std::exchange(lane.share->crowded, {})) {
        if (auto const stream = streams_.find(name); stream != streams_.end()) {
            attend(stream->second, now);
        }
    }
    attend(*lane.share, now);
}

void Scheduler::idle_ended(const std::string& name) {
    auto& lane = lanes_.at(name);
    MILLRACE_CHECK(lane.idle > 0);
    --lane.idle;
    --lane.share->idle;
}

void Scheduler::connection_closed(const std::string& name, Time now) {
    auto& lane = lanes_.at(name);
    MILLRACE_CHECK(lane.standing > 0 && connections_ > 0);
    --lane.standing;
    --connections_;
    if (lane.leaving > 0) {
        --lane.leaving;
        --lane.share->leaving;
    }
    lane.share->share.closed(now);
    attend(*lane.share, now);
}

unsigned Scheduler::messages_per_connection(const std::string& name) const {
    return lanes_.at(name).share->share.messages_per_connection();
}

void Scheduler::passed(const std::string& name, const Answer& answer, Time now) {
    auto& lane = lanes_.at(name);
    lane.failures = 0;
    lane.passed_at = now;
    auto const before = lane.share->share.block().learned();
    lane.share->share.passed(answer, now);
    count_passed(lane, answer, now);
    if (before.times > 0 && !lane.share->share.block().on_trial() && answer.over_ipv6) {
        tell_neighbours(lane, before, now);
    }
    attend(*lane.share, now);
}

void Scheduler::refused(const std::string& name, const Answer& answer, Time now) {
    auto& lane = lanes_.at(name);
    refused(lane, answer, now);
}

void Scheduler::refused(Lane& lane, const Answer& answer, Time now) {
    compare(lane, answer, now);
    auto const before = lane.share->share.block().learned();
    lane.share->share.refused(answer, now);
    count_refused(lane, answer, now);
    if (answer.over_ipv6 && lane.share->share.block().learned().until > before.until) {
        tell_neighbours(lane, before, now);
    }
    attend(*lane.share, now);
}

void Scheduler::pause(const std::string& name, Time until, std::string reason) {
    auto const at = lanes_.find(name);
    if (at == lanes_.end() || until <= at->second.paused_until) {
        return;
    }
    at->second.paused_until = until;
    at->second.pause_reason = std::move(reason);
    set_starved(at->second, std::nullopt);
    attend(*at->second.share, until);
}

void Scheduler::restore(const std::string& name, const std::string& note, Time now) {
    auto const space = name.find(' ');
    auto const source = space == std::string::npos ? "" : name.substr(0, space);
    auto const provider = space == std::string::npos ? name : name.substr(space + 1);
    auto& state = share_of(source, provider, now);
    state.share.restore(note, now);
    state.noted = true;
}

void Scheduler::forget(Time now) {
    std::erase_if(shares_, [&](auto const& entry) {
        auto const& state = entry.second;
        auto const& share = state.share;
        return state.lanes.empty() && state.agenda == never && !share.changed() &&
               share.standing() == 0 && share.opening() == 0 && share.in_flight() == 0 &&
               (!state.quota.limited() ||
                (!state.quota.changed() && !state.quota.asking() && !state.quota.covered(now) &&
                 state.quota.next(now) <= now)) &&
               std::ranges::none_of(state.warm_ups,
                                    [&](auto const& one) {
                                        // What it was promised would be lost.
                                        return one.second.changed() || one.second.asking() ||
                                               (!one.second.over() && one.second.covered(now));
                                    }) &&
               share.message_at(now) <= now && share.connect_at(now) <= now;
    });
}

std::vector<std::pair<std::string, std::string>> Scheduler::unsaved() {
    std::vector<std::pair<std::string, std::string>> notes;
    for (auto& [name, state] : shares_) {
        if (!state.share.changed()) continue;
        auto note = state.share.note();
        bool const worth = state.share.worth_keeping();
        // Most receivers are never met again, and nothing about them is worth a note.
        if (worth || state.noted) notes.emplace_back(name, worth ? std::move(note) : std::string());
        state.noted = worth;
    }
    return notes;
}

}  // namespace millrace::relay
