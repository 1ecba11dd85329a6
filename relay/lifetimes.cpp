// The part of the dispatcher that gives mail up when its time is over, and tells senders of delays,
// also while nothing of it can be tried. It finds such mail by its age, wherever it stands on disk.
#include <algorithm>

#include "relay/dispatcher.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// As often as a message's last minute asks for.
constexpr Duration look_every = 1min;
constexpr Duration last_minute = 1min;
constexpr unsigned page_size = 200;
/// In one look; the next one goes on behind. What an operator has stopped is passed over each time.
constexpr unsigned pages_most = 50;
/// What is too old and can go has the first turn for so long: mail that an operator has let go again
/// after a week is not given up unseen.
constexpr Duration last_chance_lasts = 24h;

/// Where the works of one message end: those of one message and birth stand together.
std::size_t message_end(std::span<const Work> works, std::size_t from) {
    auto end = from + 1;
    while (end < works.size() && works[end].key.message == works[from].key.message)
        ++end;
    return end;
}

}  // namespace

Task<void> Dispatcher::watch_ages() {
    while (!broken_) {
        co_await parts_.clock.sleep(look_every);
        if (stopping_ || !orders_loaded_ || loading_) continue;
        if (std::exchange(looking_at_ages_, true)) continue;
        work_.spawn(look_at_ages());
    }
}

Task<void> Dispatcher::look_at_ages() {
    co_await give_up_old();
    co_await tell_delays();
    looking_at_ages_ = false;
}

Task<void> Dispatcher::give_up_old() {
    auto const now = parts_.clock.now();
    std::erase_if(last_chance_, [&](auto const& entry) {
        return now - entry.second > last_chance_lasts + 1h;
    });
    auto const until = now - rules_.retry.expire_after + last_minute;
    auto [line, cursor] = std::exchange(old_seen_, {});
    unsigned pages = 0;
    for (; line < 2; ++line, cursor = {}) {
        while (!stopping_ && !broken_) {
            auto works = co_await parts_.spool.aged(line == 0, until, cursor, page_size);
            if (!works) {
                parts_.log.error("spool.read-failed", {{"why", works.error().detail}});
                co_return;
            }
            if (works->empty()) break;
            cursor = {works->back().born, works->back().key};
            bool const last = works->size() < page_size;
            co_await end_of_time(std::move(*works));
            if (last) break;
            if (++pages >= pages_most) {
                old_seen_ = {line, cursor};
                co_return;
            }
        }
    }
}

Task<void> Dispatcher::end_of_time(std::vector<Work> works) {
    using Standing = Prospect::Standing;
    // From the youngest: who is put first last has the first turn.
    std::ranges::reverse(works);
    for (std::size_t from = 0; from < works.size() && !stopping_;) {
        auto const to = message_end(works, from);
        auto const now = parts_.clock.now();
        std::vector<Work> over, hurried;
        std::map<WorkKey, Waited> why;
        for (auto const& work : std::span(works).subspan(from, to - from)) {
            auto const prospect = scheduler_.prospect(work, now);
            if (prospect.standing == Standing::under_way ||
                prospect.standing == Standing::ordered) {
                continue;
            }
            bool const old = rules_.retry.expired(now, work.born);
            if (prospect.standing == Standing::open) {
                // Its own last attempt is due within the minute.
                if (work.due > now) continue;
                auto const chance = last_chance_.find(work.key);
                if (chance == last_chance_.end() || now - chance->second < last_chance_lasts) {
                    if (chance == last_chance_.end() &&
                        last_chance_.size() < scheduler_.limits().window) {
                        last_chance_.emplace(work.key, now);
                    }
                    if (!scheduler_.hurry(work.key)) hurried.push_back(work);
                    continue;
                }
            }
            if (!old) continue;
            why.emplace(work.key, waited(work, prospect));
            over.push_back(work);
        }
        if (!over.empty()) {
            auto claimed = co_await claim(over);
            auto settlement = settle_expired(claimed.envelope, claimed.works, why, parts_.clock.now());
            co_await keep_waiting(std::move(claimed), std::move(settlement));
        }
        if (!hurried.empty()) {
            auto const claimed = co_await claim(hurried);
            for (auto const& work : claimed.works)
                scheduler_.put_first(work, parts_.clock.now());
            poke();
        }
        from = to;
    }
}

Task<void> Dispatcher::tell_delays() {
    if (rules_.delay_notice_after == Duration::max()) co_return;
    DueCursor cursor;
    for (unsigned pages = 0; pages < pages_most && !stopping_ && !broken_; ++pages) {
        auto const until = parts_.clock.now() - rules_.delay_notice_after;
        auto const works = co_await parts_.spool.aged(false, until, cursor, page_size);
        if (!works) {
            parts_.log.error("spool.read-failed", {{"why", works.error().detail}});
            co_return;
        }
        for (std::size_t from = 0; from < works->size() && !stopping_;) {
            auto const to = message_end(*works, from);
            auto const message = std::span(*works).subspan(from, to - from);
            std::map<WorkKey, Waited> why;
            for (auto const& work : message) {
                auto const prospect = scheduler_.prospect(work, parts_.clock.now());
                why.emplace(work.key, waited(work, prospect));
            }
            auto claimed = co_await claim(message);
            auto settlement =
                settle_delay(claimed.envelope, claimed.works, why, rules_, parts_.clock.now());
            co_await keep_waiting(std::move(claimed), std::move(settlement));
            from = to;
        }
        if (works->size() < page_size) co_return;
        cursor = {works->back().born, works->back().key};
    }
}

Task<Dispatcher::Claimed> Dispatcher::claim(std::span<const Work> works) {
    std::vector<Work> mine;
    for (auto const& work : works) {
        if (scheduler_.claim(work)) mine.push_back(work);
    }
    Claimed claimed;
    if (mine.empty()) co_return claimed;
    auto mail = co_await parts_.spool.mail(mine.front().key.message);
    if (!mail && mail.error().fault != Fault::not_found) {
        parts_.log.error("spool.read-failed", {{"why", mail.error().detail}});
        unchanged(mine);
        co_return claimed;
    }
    // Between the look and the claim somebody may have been faster.
    for (auto const& work : mine) {
        auto const now_there = mail ? std::ranges::find(mail->works, work.key, &Work::key)
                                    : std::vector<Work>::iterator{};
        if (!mail || now_there == mail->works.end()) {
            scheduler_.finished(work.key);
        } else if (now_there->version != work.version) {
            scheduler_.deferred(*now_there);
        } else {
            claimed.works.push_back(work);
        }
    }
    if (mail) claimed.envelope = std::move(mail->envelope);
    co_return claimed;
}

Task<void> Dispatcher::keep_waiting(Claimed claimed, Settlement settlement) {
    if (settlement.batch.empty()) {
        unchanged(claimed.works);
        co_return;
    }
    bool const told = std::ranges::any_of(settlement.notices, [&](const DsnRecipient& notice) {
        return wants_dsn(claimed.envelope, notice.recipient, notice.action);
    });
    Loaded loaded{std::move(claimed.envelope), std::make_shared<const std::string>()};
    if (told || settings_->relay.postmaster_copies != config::PostmasterCopies{}) {
        // A notice about bytes that cannot be read tells of them all the same.
        if (auto body = co_await parts_.spool.body(loaded.envelope.id)) loaded.body = std::move(*body);
    }
    settlement.batch.append = notifications(loaded, settlement.notices);
    auto const committed = co_await try_commit(settlement.batch);
    if (!committed) {
        // The next look finds them again.
        parts_.log.warning("spool.result-refused", {{"why", committed.error().detail}});
        unchanged(claimed.works);
        co_return;
    }
    auto const now = parts_.clock.now();
    for (auto const& done : settlement.batch.finish) {
        last_chance_.erase(done.key);
        log_attempt(done.event, loaded, now);
    }
    tell_double_bounces(loaded.envelope, settlement.notices);
    changed(settlement.batch);
}

Waited Dispatcher::waited(const Work& work, const Prospect& prospect) const {
    Waited why;
    auto const& wait = prospect.wait;
    if (auto const view = scheduler_.destination(work.destination, parts_.clock.now())) {
        why.site = view->site;
    }
    if (prospect.standing == Prospect::Standing::ordered) {
        // What operators write to each other is not for senders.
        why.reason = "The administrator of this mail system has stopped mail there for the moment.";
    } else if (wait.any()) {
        why.reason = "It has been waiting: " + wait.reason + ".";
        why.said = wait.said;
    } else if (work.last_reply.empty()) {
        why.reason = "Its turn has not come: the receiver takes mail more slowly than it arrives.";
    }
    return why;
}

}  // namespace millrace::relay
