// The part of the scheduler that knows our own sources: which one a stream leaves from, when
// another one may take its mail, and what a new one may send.
#include <algorithm>
#include <fmt/format.h>

#include "common/base/check.hpp"
#include "common/base/planted.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

/// What the logs show is no history any more after this.
constexpr Duration history_counts_for = std::chrono::hours(24 * 30);
/// When the disk did not take a promise: ask it again then.
constexpr Duration promise_again = std::chrono::seconds(1);

std::string warm_up_note(const std::string& share, const std::string& domain) {
    return "warm-up/" + share + (domain.empty() ? "" : " " + domain);
}

std::string quota_note(const std::string& share) {
    return "quota/" + share;
}

}  // namespace

// ---- the choice

const OwnSource* Scheduler::own_source(const StreamQueue& stream) const {
    return stream.lane == nullptr ? nullptr
                                  : limits_.sources.find(stream.lane->share->share.source());
}

std::string Scheduler::choose_source(const StreamQueue& stream) const {
    if (limits_.sources.empty()) return {};
    auto const best = limits_.sources.preference(stream.key, stream.destination.there);
    return best.at(std::min<std::size_t>(stream.key.rank(), best.size() - 1))->name;
}

std::string Scheduler::source_of(const std::string& name) const {
    auto const at = streams_.find(name);
    if (at != streams_.end() && at->second.lane != nullptr) {
        return at->second.lane->share->share.source();
    }
    if (limits_.sources.empty()) return {};
    auto const key = parse_stream(name);
    auto const known = destinations_.find(key.destination);
    auto const best = limits_.sources.preference(
        key, known == destinations_.end() ? Families{} : known->second.there);
    return best.at(std::min<std::size_t>(key.rank(), best.size() - 1))->name;
}

const Scheduler::Trouble* Scheduler::trouble_of(const std::string& source, Time now) const {
    auto const at = troubles_.find(source);
    return at == troubles_.end() || at->second.until <= now ? nullptr : &at->second;
}

bool Scheduler::drained(const OwnSource& source, Time now) const {
    auto const drains = [&](const std::string& name) {
        auto const* const order = orders_.find({OrderAxis::source, name});
        return order != nullptr && order->verb == OrderVerb::drain && order->until > now;
    };
    return drains(source.name) || std::ranges::any_of(source.addresses, drains);
}

bool Scheduler::stopped_by_order(const OwnSource& source, Time now) const {
    auto const stops = [&](const std::string& name) {
        auto const* const order = orders_.find({OrderAxis::source, name});
        return order != nullptr && order->until > now;
    };
    return stops(source.name) || std::ranges::any_of(source.addresses, stops);
}

/// Only for what is ours: an address that this machine does not have, a name that is not in order,
/// the operator's word, a warm-up. Never because a receiver refuses us: that is about the mail.
std::optional<Scheduler::Refuge> Scheduler::refuge(const StreamQueue& stream, Time now) const {
    auto const* const mine = own_source(stream);
    // Mail of a version that did not know its sender cannot be told apart from mail beside it.
    if (mine == nullptr || stream.key.sender_domain.empty()) return std::nullopt;
    bool const down = trouble_of(mine->name, now) != nullptr;
    bool const drain = !orders_.empty() && drained(*mine, now);
    // Who shuts this source out is not sent its mail from another one, warm-up or not.
    auto const& block = stream.lane->share->share.block();
    bool const full = !block.shut(now) && !block.on_trial() &&
                      warm_up_at(*stream.lane, stream.key.sender_domain, now) > now;
    if (!down && !drain && !full) return std::nullopt;
    auto const best = limits_.sources.preference(stream.key, stream.destination.there);
    for (auto rank = stream.key.rank() + 1; rank < std::min<std::size_t>(best.size(), ranks);
         ++rank) {
        auto const& other = *best[rank];
        if (trouble_of(other.name, now) != nullptr || stopped_by_order(other, now)) continue;
        if (other.warms() && !down && !drain) continue;
        auto const share = shares_.find(share_name(other.name, stream.destination.provider));
        if (share != shares_.end() && stream.destination.direct) {
            auto const& warm_ups = share->second.warm_ups;
            bool const waits = std::ranges::any_of(warm_ups, [&](auto const& one) {
                return (one.first.empty() || one.first == stream.key.sender_domain) &&
                       one.second.next(now) > now;
            });
            if (waits) continue;
        }
        return Refuge{static_cast<unsigned>(rank), down};
    }
    return std::nullopt;
}

/// Takes what may go by another source out of the stream and into the one of that source. On disk
/// it stays where it is until its outcome is written, which then says where it was tried from.
void Scheduler::divert(StreamQueue& stream, Time now) {
    if (limits_.sources.sources().size() < 2 || stream.ready.empty()) return;
    auto const to = refuge(stream, now);
    if (!to) return;
    std::deque<ReadyWork> stays;
    StreamQueue* other = nullptr;
    std::size_t gone = 0;
    for (auto& one : stream.ready) {
        bool const bound = one.work.attempts > 0 || bound_.contains(one.work.key);
        if (bound && !to->tried_too && !planted("source-forgotten")) {
            stays.push_back(std::move(one));
            continue;
        }
        one.work.slot = static_cast<std::uint8_t>(to->rank * slots + one.work.slot % slots);
        if (other == nullptr) other = &stream_of(stream_name(one.work));
        window_.at(one.work.key).stream = other;
        other->ready.push_back(std::move(one));
        counted(*other, 1);
        ++gone;
    }
    if (gone == 0) {
        stream.ready = std::move(stays);
        return;
    }
    stream.ready = std::move(stays);
    counted(stream, -static_cast<int>(gone));
    if (stream.ready.empty()) leave_turns(stream);
    attend(*other, now);
}

template <class Do>
void Scheduler::each_home(const StreamQueue& stream, Do what) {
    for (unsigned rank = 0; rank < stream.key.rank(); ++rank) {
        Work work;
        work.destination = stream.key.destination;
        work.klass = stream.key.klass;
        work.account = stream.key.account;
        work.sender_domain = stream.key.sender_domain;
        work.slot = static_cast<std::uint8_t>(rank * slots + stream.key.slot % slots);
        what(stream_name(work));
    }
}

void Scheduler::attend_homes(const StreamQueue& stream) {
    each_home(stream, [&](const std::string& name) {
        auto const at = streams_.find(name);
        if (at != streams_.end() && !at->second.refilling) {
            attend(at->second, at->second.disk_due);
        }
    });
}

Time Scheduler::refuge_from(const StreamQueue& stream, Time now) const {
    auto const to = refuge(stream, now);
    if (!to) return never;
    auto const best = limits_.sources.preference(stream.key, stream.destination.there);
    auto const share = shares_.find(share_name(best[to->rank]->name, stream.destination.provider));
    return share == shares_.end() ? now : share->second.share.message_at(now);
}

std::size_t Scheduler::ready_for(const StreamQueue& stream, Time now) const {
    if (limits_.sources.sources().size() < 2) return stream.ready.size();
    auto const to = refuge(stream, now);
    if (!to) return stream.ready.size();
    Work work;
    work.destination = stream.key.destination;
    work.klass = stream.key.klass;
    work.account = stream.key.account;
    work.sender_domain = stream.key.sender_domain;
    work.slot = static_cast<std::uint8_t>(to->rank * slots + stream.key.slot % slots);
    auto const at = streams_.find(stream_name(work));
    return stream.ready.size() + (at == streams_.end() ? 0 : at->second.ready.size());
}

void Scheduler::join_lane(StreamQueue& stream, Time now) {
    auto& destination = stream.destination;
    if (limits_.sources.empty() || destination.site.empty()) return;
    auto const source = choose_source(stream);
    if (!shares_.contains(share_name(source, destination.provider))) return;
    auto& lane = lane_of(source, destination, now);
    stream.lane = &lane;
    ++lane.queues;
    recount(stream);
}

void Scheduler::left_to_disk(StreamQueue& stream, const Work& work, Time now) {
    stream.disk_due = std::min(stream.disk_due, work.due);
    each_home(stream, [&](const std::string& name) {
        auto& home = stream_of(name);
        home.disk_due = std::min(home.disk_due, work.due);
        if (work.due <= home.cursor.due) home.dirty = true;
        if (!home.refilling) home.cursor = {};
        attend(home, std::max(now, work.due));
    });
}

void Scheduler::settled_at_home(const StreamQueue& stream, const WorkKey& key) {
    each_home(stream, [&](const std::string& name) {
        auto const at = streams_.find(name);
        if (at != streams_.end() && at->second.refilling) at->second.settled_meanwhile.insert(key);
    });
}

void Scheduler::source_down(const std::string& source, Time until, std::string why, Time now) {
    troubles_[source] = {until, std::move(why)};
    for (auto& [name, stream] : streams_) {
        if (stream.lane == nullptr || stream.lane->share->share.source() != source) continue;
        divert(stream, now);
        leave_turns(stream);
        attend(stream, now);
    }
}

void Scheduler::source_up(const std::string& source, Time now) {
    if (troubles_.erase(source) == 0) return;
    for (auto& [name, stream] : streams_) {
        if (stream.lane != nullptr && stream.lane->share->share.source() == source) {
            attend(stream, now);
        }
    }
}

Time Scheduler::stopped_until(const StreamQueue& stream, Time now) const {
    if (stream.lane == nullptr) return now;
    auto at = std::max(warm_up_at(*stream.lane, stream.key.sender_domain, now),
                       stream.lane->share->quota.next(now));
    if (troubles_.empty()) return at;
    if (auto const* const trouble = trouble_of(stream.lane->share->share.source(), now)) {
        at = std::max(at, trouble->until);
    }
    return at;
}

/// One network, one reputation: who is shut out from an IPv6 address is shut out from all of its
/// /64. The others ask a little later, so that not all of them knock at once.
void Scheduler::tell_neighbours(const Lane& lane, const Block::Learned& before, Time now) {
    auto const* const mine = limits_.sources.find(lane.share->share.source());
    if (mine == nullptr || mine->network.empty()) return;
    auto const& block = lane.share->share.block();
    unsigned others = 0;
    for (auto const& other : limits_.sources.sources()) {
        if (&other == mine || other.network != mine->network) continue;
        ++others;
        auto const name = share_name(other.name, lane.share->share.provider());
        if (block.shut(now)) {
            auto& neighbour = share_of(other.name, lane.share->share.provider(), now);
            auto copy = block.learned();
            copy.until += others * std::chrono::minutes(1);
            neighbour.share.shut_with(copy, now);
            attend(neighbour, now);
        } else if (auto const at = shares_.find(name); at != shares_.end()) {
            at->second.share.open_with(before.cause);
            attend(at->second, now);
        }
    }
}

// ---- rations: warm-ups and quotas

void Scheduler::set_warm(std::map<std::string, Time> since, Time now) {
    for (auto const& [source, when] : since) {
        if (now - when >= history_counts_for) continue;
        auto const known = warm_.find(source);
        if (known != warm_.end() && known->second == when) continue;
        for (auto& [name, state] : shares_) {
            auto const at = state.warm_ups.find("");
            if (state.share.source() != source || at == state.warm_ups.end()) continue;
            at->second.mark_warm(now);
            attend(state, now);
        }
    }
    warm_ = std::move(since);
    for (auto& [name, stream] : streams_)
        attend(stream, now);
}

void Scheduler::set_rations(ShareState& state, Time now) {
    auto const& ceilings = state.share.ceilings();
    state.quota.set_limits(ceilings.messages_per_hour, ceilings.messages_per_day);
    auto const* const source = limits_.sources.find(state.share.source());
    std::set<std::string> wanted;
    if (source != nullptr) {
        wanted.insert(source->warm_up_domains.begin(), source->warm_up_domains.end());
        if (source->warm_up.on) wanted.insert("");
    }
    std::erase_if(state.warm_ups, [&](auto const& one) { return !wanted.contains(one.first); });
    for (auto const& domain : wanted) {
        auto const [at, fresh] = state.warm_ups.try_emplace(domain, source->warm_up);
        at->second.set_plan(source->warm_up);
        auto const since = warm_.find(source->name);
        bool const has_history = fresh && domain.empty() && since != warm_.end() &&
                                 now - since->second < history_counts_for;
        if (has_history) at->second.mark_warm(now);
    }
}

std::vector<std::string> Scheduler::rations_of(const std::string& source,
                                               const std::string& provider) const {
    std::vector<std::string> notes;
    auto const share = share_name(source, provider);
    auto const& ceilings = ceilings_of(provider);
    if (ceilings.messages_per_hour > 0 || ceilings.messages_per_day > 0) {
        notes.push_back(quota_note(share));
    }
    auto const* const own = limits_.sources.find(source);
    if (own == nullptr) return notes;
    if (own->warm_up.on) notes.push_back(warm_up_note(share, ""));
    for (auto const& domain : own->warm_up_domains)
        notes.push_back(warm_up_note(share, domain));
    return notes;
}

Ration* Scheduler::ration(const std::string& note, ShareState*& share) {
    auto const slash = note.find('/');
    auto name = note.substr(slash + 1);
    auto at = shares_.find(name);
    std::string domain;
    if (at == shares_.end()) {
        auto const space = name.rfind(' ');
        if (space == std::string::npos) return nullptr;
        domain = name.substr(space + 1);
        at = shares_.find(name.substr(0, space));
        if (at == shares_.end()) return nullptr;
    }
    auto& state = at->second;
    share = &state;
    if (note == quota_note(state.name)) return state.quota.limited() ? &state.quota : nullptr;
    auto const warm_up = state.warm_ups.find(domain);
    return warm_up == state.warm_ups.end() ? nullptr : &warm_up->second;
}

void Scheduler::restore_ration(const std::string& source,
                               const std::string& provider,
                               const std::string& note,
                               const std::string& value,
                               Time now) {
    auto& state = share_of(source, provider, now);
    if (!value.empty() && quota_note(state.name) == note) state.quota.restore(value, now);
    for (auto& [domain, warm_up] : state.warm_ups) {
        if (!value.empty() && warm_up_note(state.name, domain) == note) {
            warm_up.restore(value, now);
        }
    }
}

std::vector<std::pair<std::string, std::string>> Scheduler::unsaved_rations(bool last) {
    std::vector<std::pair<std::string, std::string>> notes;
    for (auto& [name, state] : shares_) {
        if (state.quota.limited()) {
            if (last) state.quota.settle();
            if (state.quota.changed()) notes.emplace_back(quota_note(name), state.quota.note());
        }
        for (auto& [domain, warm_up] : state.warm_ups) {
            if (last) warm_up.settle();
            if (!warm_up.changed()) continue;
            notes.emplace_back(warm_up_note(name, domain), warm_up.note());
        }
    }
    return notes;
}

Time Scheduler::warm_up_at(const Lane& lane, const std::string& sender_domain, Time now) const {
    auto at = now;
    if (!lane.direct) return at;
    for (auto const& [domain, warm_up] : lane.share->warm_ups) {
        if (domain.empty() || domain == sender_domain) at = std::max(at, warm_up.next(now));
    }
    return at;
}

template <class Do>
void Scheduler::each_ration(Lane& lane, const std::string& sender_domain, Do what) {
    if (lane.share->quota.limited()) what(lane.share->quota, quota_note(lane.share->name));
    if (!lane.direct) return;
    for (auto& [domain, warm_up] : lane.share->warm_ups) {
        if (domain.empty() || domain == sender_domain) {
            what(warm_up, warm_up_note(lane.share->name, domain));
        }
    }
}

/// Whether a message may begin by what is durable; if not, a promise is asked for.
bool Scheduler::covered(StreamQueue& stream, Time now) {
    bool all = true;
    each_ration(*stream.lane, stream.key.sender_domain, [&](Ration& one, const std::string& note) {
        if (one.covered(now)) return;
        all = false;
        wants_promise_.insert(note);
    });
    if (!all) stream.lane->share->uncovered.insert(stream.name);
    return all;
}

void Scheduler::take_rations(StreamQueue& stream, Time now) {
    each_ration(*stream.lane, stream.key.sender_domain, [&](Ration& one, const std::string& note) {
        one.take(now);
        wants_promise_.insert(note);
    });
}

void Scheduler::promise(Plan& plan, Time now) {
    for (auto const& note : std::exchange(wants_promise_, {})) {
        ShareState* share = nullptr;
        auto* const one = ration(note, share);
        if (one == nullptr || one->asking()) continue;
        if (auto value = one->promise(now)) {
            plan.promises.push_back({note, *std::move(value)});
        } else {
            recover(*share, now);
        }
    }
}

/// Streams that waited for a promise look again.
void Scheduler::recover(ShareState& share, Time at) {
    for (auto const& name : std::exchange(share.uncovered, {})) {
        if (auto const stream = streams_.find(name); stream != streams_.end()) {
            attend(stream->second, at);
        }
    }
}

void Scheduler::kept(const std::string& note, Time now) {
    ShareState* share = nullptr;
    auto* const one = ration(note, share);
    if (one == nullptr) return;
    one->kept();
    recover(*share, now);
}

void Scheduler::not_kept(const std::string& note, Time now) {
    ShareState* share = nullptr;
    auto* const one = ration(note, share);
    if (one == nullptr) return;
    one->not_kept();
    recover(*share, now + promise_again);
}

void Scheduler::count_passed(Lane& lane, const Answer& answer, Time now) {
    if (!lane.direct) return;
    for (auto& [domain, warm_up] : lane.share->warm_ups) {
        if (domain.empty() || domain == answer.sender_domain) warm_up.passed(now);
    }
}

void Scheduler::count_refused(Lane& lane, const Answer& answer, Time now) {
    if (!lane.direct || answer.silent || !holds_back(answer.typed)) return;
    for (auto& [domain, warm_up] : lane.share->warm_ups) {
        if (domain.empty() || domain == answer.sender_domain) warm_up.refused(now);
    }
}

Wait Scheduler::source_wait(const StreamQueue& stream, Time now) const {
    auto const& share = stream.lane->share->share;
    if (auto const* const trouble = trouble_of(share.source(), now)) {
        return {trouble->why, trouble->until, {}, {}};
    }
    if (auto const& quota = stream.lane->share->quota; quota.next(now) > now) {
        return {
            fmt::format("a setting allows {} to {}", quota.text_of_limit(now), share.provider()),
            quota.next(now),
            {},
            {}};
    }
    if (stream.lane->share->uncovered.contains(stream.name)) {
        return {"what may be sent is being written down, so that a restart does not renew it",
                never,
                {},
                {}};
    }
    if (!stream.lane->direct) return {};
    for (auto const& [domain, warm_up] : stream.lane->share->warm_ups) {
        if (!domain.empty() && domain != stream.key.sender_domain) continue;
        if (auto const at = warm_up.next(now); at > now) {
            return {
                warm_up_text(domain.empty() ? share.source() : domain + " from " + share.source(),
                             share.provider(),
                             warm_up,
                             now),
                at,
                {},
                {}};
        }
    }
    return {};
}

}  // namespace millrace::relay
