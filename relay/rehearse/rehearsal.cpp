#include "relay/rehearse/rehearsal.hpp"

#include <algorithm>

#include "common/base/check.hpp"
#include "common/base/planted.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// As relay/learned.cpp: what was learned is written down this often.
constexpr Duration learned_kept_every = 2s;
constexpr Duration routes_hold = 1h;
/// More mail than this at once is taken from disk, as after a start.
constexpr std::uint64_t arrive_in_memory = 50;
/// Plans without an end at one moment.
constexpr unsigned plans_most = 20'000;

std::string line(const Refusal& refusal) {
    if (refusal.code == 0) return refusal.gone ? "connect: refused" : "it hung up";
    return std::to_string(refusal.code) + " " + refusal.enhanced + " " + refusal.text;
}

}  // namespace

Rehearsal::Rehearsal(RehearsalSetup setup)
    : setup_(std::move(setup)), random_(setup_.seed), notes_(setup_.notes), now_(setup_.begin) {
    for (auto const& [name, limits] : setup_.receivers) {
        receivers_.push_back(std::make_unique<HiddenReceiver>(name, limits, random_.next()));
    }
    for (std::size_t i = 0; i < setup_.places.size(); ++i) {
        auto const& place = setup_.places[i];
        places_[place.destination] = i;
        sites_[place.facts.site] = place.receiver;
        results_.push_back({.destination = place.destination, .last_delivery = {}});
    }
    for (std::size_t i = 0; i < setup_.mail.size(); ++i) {
        auto const& mail = setup_.mail[i];
        if (mail.on_disk && mail.at <= setup_.begin) {
            queue_.add(mail.stream, mail.count, mail.at);
            results_[places_.at(mail.stream.destination)].mail += mail.count;
        } else {
            ++mail_left_;
            later(mail.at, Kind::mail, i);
        }
    }
    for (std::size_t i = 0; i < setup_.changes.size(); ++i) {
        later(setup_.changes[i].at, Kind::change, i);
    }
    for (std::size_t i = 0; i < setup_.restarts.size(); ++i) {
        later(setup_.restarts[i].at, Kind::restart, i);
    }
    boot();
}

Rehearsal::~Rehearsal() = default;

void Rehearsal::later(Time at, Kind kind, std::uint64_t subject) {
    agenda_.push({std::max(at, now_), order_++, kind, subject});
}

bool Rehearsal::run(std::uint64_t events_most) {
    return run_until(setup_.end, events_most);
}

bool Rehearsal::run_until(Time until, std::uint64_t events_most) {
    until = std::min(until, setup_.end);
    plan();
    while (!agenda_.empty() && !spun_) {
        auto const event = agenda_.top();
        if (event.at > until) {
            now_ = until;
            return true;
        }
        if (queue_.size() == 0 && mail_left_ == 0) return true;
        if (events_most-- == 0) return false;
        agenda_.pop();
        now_ = event.at;
        ++events_;
        handle(event);
        plan();
    }
    return true;
}

void Rehearsal::handle(const Event& event) {
    switch (event.kind) {
        case Kind::mail:
            if (!up_) {
                // Who wants to hand it in comes again.
                later(back_at_ + 1ns, Kind::mail, event.subject);
                return;
            }
            --mail_left_;
            mail_comes(setup_.mail[event.subject]);
            return;
        case Kind::change: {
            auto const& change = setup_.changes[event.subject];
            receivers_[change.receiver]->change(change.limits, now_);
            return;
        }
        case Kind::restart:
            if (!up_) return;
            back_at_ = now_ + setup_.restarts[event.subject].away;
            go_down(setup_.restarts[event.subject].crash);
            later(back_at_, Kind::back);
            return;
        case Kind::back:
            boot();
            if (on_restart) on_restart(now_);
            return;
        case Kind::plan:
            if (event.at >= plan_at_) plan_at_ = never;
            poked_ = true;
            return;
        case Kind::save:
            saving_ = false;
            if (up_) save();
            return;
        default:
            break;
    }
    if (!connections_.contains(event.subject)) return;
    poked_ = true;
    switch (event.kind) {
        case Kind::answered:
            answered(event.subject);
            return;
        case Kind::ended:
            ended(event.subject);
            return;
        case Kind::patience:
            patience_ends(event.subject);
            return;
        default:
            gone(event.subject);
            return;
    }
}

// ---- starts and ends

void Rehearsal::boot() {
    scheduler_ = std::make_unique<Scheduler>(setup_.limits);
    providers_ = std::make_unique<ProviderMap>();
    greylist_ = {};
    plan_at_ = never;
    leaving_ = 0;
    up_ = true;
    for (auto const& [stream, due] : queue_.streams()) {
        scheduler_->noticed(stream, due);
    }
    poked_ = true;
}

void Rehearsal::go_down(bool crash) {
    if (!crash) save(true);
    for (auto& [id, c] : connections_) {
        // What was under way at an orderly end is waited for.
        if (!crash && c.pick && !c.verdict.any()) {
            for (auto const& work : c.pick->works)
                queue_.finish(work);
            auto& result = results_[places_.at(parse_stream(c.pick->stream).destination)];
            result.delivered += c.pick->works.size();
            result.last_delivery = now_;
        }
        if (c.standing && !c.cut) receivers_[c.receiver]->closed(now_);
    }
    connections_.clear();
    open_.clear();
    idle_.clear();
    scheduler_.reset();
    up_ = false;
}

void Rehearsal::save(bool last) {
    for (auto& [note, value] : scheduler_->unsaved_rations(last)) {
        notes_[note] = std::move(value);
    }
    for (auto& [share, note] : scheduler_->unsaved()) {
        if (note.empty()) {
            notes_.erase(share);
        } else {
            notes_[share] = std::move(note);
        }
    }
}

std::map<std::string, std::string> Rehearsal::notes() {
    if (up_) save();
    return notes_;
}

void Rehearsal::mail_comes(const RehearsalSetup::Mail& mail) {
    results_[places_.at(mail.stream.destination)].mail += mail.count;
    auto const works = queue_.add(mail.stream, mail.count, now_);
    if (works.empty()) return;
    if (mail.on_disk || mail.count > arrive_in_memory) {
        scheduler_->noticed(stream_name(works.front()), now_);
    } else {
        scheduler_->arrived(works, nullptr, now_);
    }
    poked_ = true;
}

// ---- the loop of the dispatcher

void Rehearsal::plan() {
    for (unsigned rounds = 0; poked_ && up_; ++rounds) {
        if (rounds > plans_most) {
            spun_ = true;
            return;
        }
        poked_ = false;
        auto const plan = scheduler_->plan(now_);
        for (auto const& destination : plan.resolve)
            resolve(destination);
        for (auto const& wanted : plan.refill)
            refill(wanted);
        for (auto const& lane : plan.connect)
            open(lane);
        for (auto const& wanted : plan.promises) {
            notes_[wanted.note] = wanted.value;
            scheduler_->kept(wanted.note, now_);
            poked_ = true;
        }
        for (auto const& lane : plan.dismiss)
            dismiss(lane);
        for (auto const& lane : plan.wake) {
            auto& waiting = idle_[lane];
            MILLRACE_CHECK(!waiting.empty());
            auto const id = waiting.back();
            waiting.pop_back();
            connections_.at(id).idle = false;
            converse(id);
        }
        make_room();
        if (plan.wake_at < plan_at_) {
            plan_at_ = plan.wake_at;
            later(plan_at_, Kind::plan);
        }
    }
    if (up_ && !saving_) {
        saving_ = true;
        later(now_ + learned_kept_every, Kind::save);
    }
}

void Rehearsal::resolve(const std::string& destination) {
    auto const& place = setup_.places[places_.at(destination)];
    auto const provider = planted("provider-unseen")
                              ? place.facts.site
                              : providers_->provider_of(place.facts, now_);
    std::vector<std::string> sources;
    for (auto const& source : setup_.limits.sources.sources())
        sources.push_back(source.name);
    if (sources.empty()) sources.emplace_back();
    for (auto const& source : sources) {
        auto const share = Scheduler::share_name(source, provider);
        if (!scheduler_->is_new(share) || planted("rehearsed-forgotten")) continue;
        if (auto const note = notes_.find(share); note != notes_.end()) {
            scheduler_->restore(share, note->second, now_);
        }
        for (auto const& name : scheduler_->rations_of(source, provider)) {
            auto const note = notes_.find(name);
            scheduler_->restore_ration(
                source, provider, name, note == notes_.end() ? "" : note->second, now_);
        }
    }
    scheduler_->routed(destination, place.facts.site, provider, now_ + routes_hold, now_);
    poked_ = true;
}

void Rehearsal::refill(const Plan::Refill& wanted) {
    scheduler_->refilled(
        wanted.stream, queue_.due(wanted.stream, wanted.after, wanted.max), wanted.max, now_);
    poked_ = true;
}

void Rehearsal::make_room() {
    while (leaving_ < scheduler_->starved_lanes()) {
        auto oldest = idle_.end();
        for (auto at = idle_.begin(); at != idle_.end(); ++at) {
            if (at->second.empty()) continue;
            if (oldest == idle_.end() || connections_.at(at->second.front()).idle_since <
                                             connections_.at(oldest->second.front()).idle_since) {
                oldest = at;
            }
        }
        if (oldest == idle_.end()) return;
        dismiss(std::string(oldest->first));
    }
}

void Rehearsal::dismiss(const std::string& lane) {
    auto const at = idle_.find(lane);
    if (at == idle_.end() || at->second.empty()) return;
    auto const id = at->second.front();
    at->second.erase(at->second.begin());
    auto& c = connections_.at(id);
    c.idle = false;
    c.leaving = true;
    scheduler_->idle_ended(lane);
    ++leaving_;
    leave(id);
}

// ---- one connection

void Rehearsal::open(const std::string& lane) {
    auto const id = next_id_++;
    auto& c = connections_[id];
    c.lane = lane;
    ++open_[lane];
    c.receiver = sites_.at(lane.substr(lane.rfind(' ') + 1));
    c.began = now_;
    later(now_ + receivers_[c.receiver]->limits().reply, Kind::answered, id);
}

void Rehearsal::witness(const Connection& c, const StreamKey* stream, const Refusal& refusal) {
    if (!on_contact) return;
    Contact contact;
    contact.at = now_;
    contact.receiver = c.receiver;
    contact.message = stream != nullptr;
    contact.site = c.lane;
    if (stream != nullptr) contact.stream = *stream;
    contact.refusal = refusal;
    contact.at_site = open_.at(c.lane);
    contact.in_total = static_cast<unsigned>(connections_.size());
    contact.use = c.sent;
    contact.standing = receivers_[c.receiver]->open(now_);
    on_contact(contact);
}

Typed Rehearsal::type(const std::string& lane,
                      const Refusal& refusal,
                      const std::string& sender) const {
    if (refusal.code == 0) return Typed::of(Blame::none);
    return setup_.rules->type(
        scheduler_->provider(lane), refusal.code, refusal.enhanced, refusal.text, sender);
}

void Rehearsal::answered(std::uint64_t id) {
    auto& c = connections_.at(id);
    auto const refusal = receivers_[c.receiver]->connect(now_);
    witness(c, nullptr, refusal);
    if (!refusal.any()) {
        c.standing = true;
        scheduler_->greeted(c.lane, now_);
        converse(id);
        return;
    }
    auto const gone = std::move(c);
    connections_.erase(id);
    auto const& lane = gone.lane;
    --open_[lane];
    auto const typed = type(lane, refusal, {});
    bool const stands = scheduler_->stands(lane, now_);
    bool const silent = refusal.code == 0 && !refusal.gone;
    if (holds_back(typed) || (silent && stands)) {
        Answer answer;
        answer.typed = typed;
        answer.said = line(refusal);
        answer.began = gone.began;
        answer.silent = silent;
        scheduler_->not_greeted(lane, answer, now_);
        return;
    }
    auto const picks = stands ? std::vector<Pick>{} : scheduler_->take_all(lane);
    scheduler_->unreachable(lane, line(refusal), now_);
    for (auto const& pick : picks) {
        deferred(pick, places_.at(parse_stream(pick.stream).destination), false, {});
    }
}

void Rehearsal::converse(std::uint64_t id) {
    auto& c = connections_.at(id);
    auto next = scheduler_->next(c.lane, 100, now_);
    if (next.leave) {
        leave(id);
        return;
    }
    if (!next.pick) {
        c.idle = true;
        c.idle_since = now_;
        idle_[c.lane].push_back(id);
        c.patient_until =
            now_ + std::max(setup_.idle_connection, scheduler_->worth_keeping(c.lane, now_));
        later(c.patient_until, Kind::patience, id);
        poked_ = true;
        return;
    }
    ++c.sent;
    c.idle_for = c.sent == 1 ? Duration::zero() : now_ - c.idle_since;
    c.began = now_;
    c.pick = std::move(next.pick);
    auto& receiver = *receivers_[c.receiver];
    auto const key = parse_stream(c.pick->stream);
    c.verdict = receiver.message(
        now_, c.sent - 1, key.sender_domain, c.pick->works.front().key.message.value);
    if (c.verdict.ends) {
        receiver.closed(now_);
        c.cut = true;
    }
    witness(c, &key, c.verdict);
    later(now_ + (c.verdict.any() ? receiver.limits().reply : receiver.takes()), Kind::ended, id);
}

void Rehearsal::patience_ends(std::uint64_t id) {
    auto& c = connections_.at(id);
    if (!c.idle || now_ < c.patient_until) return;
    c.idle = false;
    c.leaving = true;
    std::erase(idle_[c.lane], id);
    scheduler_->idle_ended(c.lane);
    ++leaving_;
    leave(id);
}

void Rehearsal::ended(std::uint64_t id) {
    auto& c = connections_.at(id);
    scheduler_->ended(*c.pick, now_);
    auto const sender = parse_stream(c.pick->stream).sender_domain;
    auto const typed = c.verdict.any() ? type(c.lane, c.verdict, sender) : Typed::of(Blame::none);
    learn(c, typed);
    settle(c, typed);
    c.idle_since = now_;
    c.pick.reset();
    if (c.verdict.ends || c.sent >= scheduler_->messages_per_connection(c.lane)) {
        leave(id);
    } else {
        converse(id);
    }
}

void Rehearsal::learn(const Connection& c, const Typed& typed) {
    auto const key = parse_stream(c.pick->stream);
    Answer answer;
    answer.began = c.began;
    answer.use = c.sent;
    answer.idle_for = c.idle_for;
    answer.sender_domain = key.sender_domain;
    answer.bulk = key.klass == Class::bulk;
    bool const passed = !c.verdict.any();
    bool const unknown = c.verdict.code >= 500 && typed.blame == Blame::recipient;
    // Of what bounced in the past nobody knows whether it was for an unknown user: no list is held
    // for it, and nobody would be there to let it go.
    if (passed || unknown) scheduler_->unknown_user(c.lane, {}, unknown, {}, now_);
    bool const silent = c.verdict.any() && c.verdict.code == 0;
    if (counts_against_us(typed.blame) || silent) {
        answer.typed = typed;
        answer.said = line(c.verdict);
        answer.silent = silent;
        scheduler_->refused(c.lane, answer, now_);
    }
    if (passed) scheduler_->passed(c.lane, answer, now_);
}

void Rehearsal::settle(Connection& c, const Typed& typed) {
    auto& pick = *c.pick;
    auto const place = places_.at(parse_stream(pick.stream).destination);
    if (c.verdict.any() && c.verdict.code < 500) {
        bool const untried = c.verdict.code == 0 ? c.sent > 1 : spends_nothing(typed);
        deferred(pick, place, untried, typed);
        return;
    }
    if (!c.verdict.any()) takes_strangers(pick);
    auto& result = results_[place];
    for (auto const& work : pick.works) {
        queue_.finish(work);
        scheduler_->finished(work.key);
        if (c.verdict.any()) {
            ++result.bounced;
            continue;
        }
        ++result.delivered;
        result.last_delivery = now_;
        if (on_delivered) on_delivered(parse_stream(pick.stream), work.born, now_);
    }
}

/// As Dispatcher::settle_attempt() does it.
void Rehearsal::takes_strangers(const Pick& pick) {
    for (auto const& work : pick.works) {
        if (work.first_tried == Time{}) continue;
        if (auto const wait = greylist_.passed(pick.site, work.first_tried, now_)) {
            scheduler_->release(pick.site, *wait, now_);
        }
    }
}

/// As settle() of relay/settlement does it. `hold_back`: no attempt is spent.
void Rehearsal::deferred(const Pick& pick, std::size_t place, bool hold_back, const Typed& typed) {
    bool const greylisted = typed.blame == Blame::greylist;
    auto& result = results_[place];
    auto back = pick;
    back.works.clear();
    for (auto const& work : pick.works) {
        if (hold_back && !setup_.retry.expired(now_, work.born)) {
            back.works.push_back(work);
            continue;
        }
        auto const again = setup_.retry.next(work.attempts + 1U, now_, work.born, random_, typed.pause);
        if (!again) {
            queue_.finish(work);
            scheduler_->finished(work.key);
            ++result.bounced;
            continue;
        }
        auto next = work;
        next.due = *again;
        ++next.attempts;
        if (next.first_tried == Time{}) next.first_tried = now_;
        if (greylisted) {
            next.due =
                greylist_.again(pick.site, next.first_tried, now_, next.due, now_ + typed.pause);
        }
        ++result.deferrals;
        queue_.defer(work, next);
        scheduler_->deferred(next);
        if (greylisted) scheduler_->park(pick.site, next);
    }
    if (!back.works.empty()) scheduler_->put_back(std::move(back), now_);
    poked_ = true;
}

/// The goodbye takes a moment, and the place is ours until then.
void Rehearsal::leave(std::uint64_t id) {
    auto const& c = connections_.at(id);
    later(now_ + (c.cut ? 0ns : receivers_[c.receiver]->limits().reply), Kind::gone, id);
}

void Rehearsal::gone(std::uint64_t id) {
    auto const c = connections_.at(id);
    connections_.erase(id);
    --open_[c.lane];
    if (!c.cut) receivers_[c.receiver]->closed(now_);
    if (c.leaving) --leaving_;
    scheduler_->connection_closed(c.lane, now_);
}

}  // namespace millrace::relay
