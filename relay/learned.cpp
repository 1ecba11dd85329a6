// The part of the dispatcher that keeps over a restart what was learned of receivers, and lets go of
// what nobody has needed for long.
#include "relay/dispatcher.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// What was learned is written down this often: a crash forgets no more than that.
constexpr Duration learned_kept_every = 2s;
/// At a time; a first start with a large queue meets many.
constexpr unsigned sites_written_most = 500;
/// A receiver that nothing was sent to for so long has other limits now, or is no more.
constexpr Duration unused_most = 60 * 24h;
constexpr Duration sweep_every = 24h;
constexpr Duration first_sweep_after = 10min;
constexpr unsigned notes_page = 500;
constexpr Duration read_notes_again = 1s;

}  // namespace

/// Before the first look-up: a provider is called after the site that was met first, and what was
/// learned stands under that name.
Task<void> Dispatcher::load_sites() {
    std::string after;
    auto const prefix = site_note("");
    while (!stopping_) {
        auto const page = co_await parts_.spool.notes(prefix, after, notes_page);
        if (!page) {
            parts_.log.error("spool.read-failed", {{"why", page.error().detail}});
            co_await parts_.clock.sleep(read_notes_again);
            continue;
        }
        for (auto const& kept : *page) {
            auto const note = SiteNote::read(kept.name.substr(prefix.size()), kept.value);
            providers_.restore(note);
            greylist_.restore(note.site, note.greylist, parts_.clock.now());
        }
        if (page->size() < notes_page) break;
        after = page->back().name;
    }
    sites_loaded_ = true;
}

Task<void> Dispatcher::keep_learned() {
    // A relay that is started anew every day looks, too.
    swept_ = parts_.clock.now() - sweep_every + first_sweep_after;
    while (!broken_) {
        co_await parts_.clock.sleep(learned_kept_every);
        scheduler_.forget(parts_.clock.now());
        co_await write_learned(false);
        if (parts_.clock.now() - swept_ < sweep_every || !sites_loaded_) continue;
        swept_ = parts_.clock.now();
        co_await sweep_notes();
    }
}

Task<void> Dispatcher::write_learned(bool last) {
    for (auto& [name, note] : scheduler_.unsaved_rations(last)) {
        auto const written = co_await parts_.spool.put_note(name, note);
        if (!written) {
            parts_.log.warning("lane.learned-not-kept",
                               {{"share", name}, {"why", written.error().detail}});
        }
    }
    for (auto& [share, note] : scheduler_.unsaved()) {
        auto name = share_note(share);
        auto value = note;
        auto const written = co_await (value.empty()
                                           ? parts_.spool.drop_note(std::move(name))
                                           : parts_.spool.put_note(std::move(name), std::move(value)));
        if (!written) {
            parts_.log.warning("lane.learned-not-kept",
                               {{"share", share}, {"why", written.error().detail}});
        }
    }
    for (unsigned n = 0; n < sites_written_most && !unsaved_sites_.empty() && !broken_; ++n) {
        co_await write_site(unsaved_sites_.extract(unsaved_sites_.begin()).value());
    }
}

Task<void> Dispatcher::write_site(std::string site) {
    auto note = providers_.note(site);
    note.greylist = greylist_.wait(site).value_or(Duration::zero());
    auto name = site_note(site);
    // What a rule says of it needs no note.
    bool const nothing = note.provider.empty() && !note.alone && note.greylist == Duration::zero();
    auto const written = co_await (nothing ? parts_.spool.drop_note(std::move(name))
                                           : parts_.spool.put_note(std::move(name), note.text()));
    if (!written) {
        parts_.log.warning("lane.learned-not-kept",
                           {{"site", site}, {"why", written.error().detail}});
    }
}

Task<void> Dispatcher::sweep_notes() {
    auto const since = parts_.clock.now() - unused_most;
    providers_.forget(since);
    // What stands in memory is in use, or is swept when it no longer is.
    co_await sweep(site_note(""), [&](const std::string& site, const std::string& note) {
        return providers_.known(site).empty() && SiteNote::read(site, note).used < since;
    });
    co_await sweep(share_note(""), [&](const std::string& share, const std::string& note) {
        auto const used = Share::last_used(note);
        return scheduler_.is_new(share) && used != Time{} && used < since;
    });
}

Task<void> Dispatcher::sweep(
    std::string prefix,
    std::function<bool(const std::string& name, const std::string& note)> unused) {
    std::string after;
    while (!broken_ && !stopping_) {
        auto const page = co_await parts_.spool.notes(prefix, after, notes_page);
        if (!page) co_return;
        for (auto const& note : *page) {
            if (!unused(note.name.substr(prefix.size()), note.value)) continue;
            auto name = note.name;
            if (!co_await parts_.spool.drop_note(std::move(name))) co_return;
        }
        if (page->size() < notes_page) co_return;
        after = page->back().name;
    }
}

Task<void> Dispatcher::split_off(std::vector<std::string> sites) {
    for (auto const& site : sites) {
        if (!providers_.doubtful(site)) continue;
        parts_.log.info("provider.split",
                        {{"site", site},
                         {"from", providers_.known(site)},
                         {"why", "it shuts us out while the others take mail"}});
        auto name = site;
        auto const kept = co_await split(std::move(name), true);
        if (!kept) parts_.log.warning("lane.learned-not-kept", {{"why", kept.error().detail}});
    }
}

Task<Result<void>> Dispatcher::split(std::string site, bool alone) {
    if (providers_.known(site).empty()) {
        co_return failure(Fault::not_found,
                          site + " is no site that mail was sent to; millrace destinations "
                                 "lists them");
    }
    if (alone) {
        auto const before = providers_.known(site);
        providers_.split(site);
        // It begins with what was known of it as a part: no pause that it asked for ends early.
        std::vector<std::pair<std::string, std::string>> inherited;
        for (auto const& [name, state] : scheduler_.shares()) {
            if (state.share.provider() != before) continue;
            inherited.emplace_back(
                Scheduler::share_name(state.share.source(), providers_.known(site)),
                state.share.kept());
        }
        for (auto const& [name, note] : inherited) {
            if (scheduler_.is_new(name)) scheduler_.restore(name, note, parts_.clock.now());
        }
    } else {
        providers_.rejoin(site);
    }
    scheduler_.route_again(site, parts_.clock.now());
    poke();
    auto note = providers_.note(site);
    note.used = parts_.clock.now();
    note.greylist = greylist_.wait(site).value_or(Duration::zero());
    auto const written = co_await parts_.spool.put_note(site_note(site), note.text());
    if (!written) {
        co_return std::unexpected(Failure{
            Fault::unavailable, "in force, but a restart forgets it: " + written.error().detail});
    }
    co_return Result<void>{};
}

}  // namespace millrace::relay
