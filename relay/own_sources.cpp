// The part of the dispatcher that looks after the sources mail leaves from: what is kept of them,
// which of their names are in order, what a new one is promised.
#include <algorithm>
#include <charconv>

#include "common/base/planted.hpp"
#include "relay/dispatcher.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration read_sources_again = 1s;
/// Names of new settings are looked up at once; the loop only asks again.
constexpr Duration look_least = 5s;
constexpr Duration look_most = 10min;
/// It rests so much longer than until the next look-up: that one takes its time.
constexpr Duration look_takes = 5min;

std::string warm_note() {
    return "warm-sources";
}

/// A line for each: milliseconds, name.
std::map<std::string, Time> read_warm(std::string_view text) {
    std::map<std::string, Time> warm;
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto const line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 1));
        std::int64_t ms = 0;
        auto const [rest, error] = std::from_chars(line.data(), line.data() + line.size(), ms);
        auto const space = static_cast<std::size_t>(rest - line.data());
        if (error != std::errc{} || space + 1 >= line.size() || line[space] != ' ') continue;
        warm[std::string(line.substr(space + 1))] = from_unix_millis(ms);
    }
    return warm;
}

std::string text_of(const std::map<std::string, Time>& warm) {
    std::string text;
    for (auto const& [source, since] : warm)
        text += std::to_string(unix_millis(since)) + " " + source + "\n";
    return text;
}

bool is_looked_at(const config::Source& source, const Address& address) {
    return source.ptr == config::PtrRule::confirmed && address.is_v6() &&
           !address.is_unspecified() && !address.is_loopback() && !address.to_v6().is_v4_mapped();
}

}  // namespace

// ---- what was kept

Task<std::optional<std::string>> Dispatcher::note(std::string name) {
    while (!stopping_) {
        auto const found = co_await parts_.spool.note(name);
        if (found) co_return *found;
        if (found.error().fault == Fault::not_found || found.error().fault == Fault::broken) break;
        // What is not known might be a limit: nothing is sent before it is.
        parts_.log.error("spool.note-failed", {{"note", name}, {"why", found.error().detail}});
        co_await parts_.clock.sleep(read_sources_again);
    }
    co_return std::nullopt;
}

Task<void> Dispatcher::recall(std::string provider) {
    struct Kept {
        std::string source, share;
        std::optional<std::string> note;
        std::vector<std::pair<std::string, std::string>> rations;
    };
    std::vector<Kept> all;
    std::vector<std::string> names;
    for (auto const& source : scheduler_.limits().sources.sources())
        names.push_back(source.name);
    if (names.empty()) names.emplace_back();
    for (auto const& source : names) {
        Kept kept{source, Scheduler::share_name(source, provider), {}, {}};
        if (!scheduler_.is_new(kept.share)) continue;
        if (!planted("throttle-forgotten")) {
            kept.note = co_await note(share_note(kept.share));
            // Before the source had a name, what was learned was of whichever there was.
            if (!kept.note && !source.empty()) kept.note = co_await note(share_note(provider));
        }
        for (auto const& name : scheduler_.rations_of(source, provider)) {
            auto value = co_await note(name);
            if (planted("warm-up-forgotten")) value.reset();
            kept.rations.emplace_back(name, value.value_or(""));
        }
        all.push_back(std::move(kept));
    }
    // All at once: a share without mail may be let go of between two steps.
    auto const now = parts_.clock.now();
    for (auto const& kept : all) {
        if (!scheduler_.is_new(kept.share)) continue;
        if (kept.note) scheduler_.restore(kept.share, *kept.note, now);
        for (auto const& [name, value] : kept.rations)
            scheduler_.restore_ration(kept.source, provider, name, value, now);
    }
}

Task<void> Dispatcher::promise(Plan::Promise promise) {
    auto const written = co_await parts_.spool.put_note(promise.note, promise.value);
    if (written) {
        scheduler_.kept(promise.note, parts_.clock.now());
    } else {
        parts_.log.warning("lane.promise-not-kept",
                           {{"note", promise.note}, {"why", written.error().detail}});
        scheduler_.not_kept(promise.note, parts_.clock.now());
    }
    poke();
}

// ---- sources with a history

Task<void> Dispatcher::load_warm() {
    auto const kept = co_await note(warm_note());
    warm_ = read_warm(kept.value_or(""));
    scheduler_.set_warm(warm_, parts_.clock.now());
}

Task<Result<void>> Dispatcher::mark_warm(std::string source) {
    auto const* const known = scheduler_.limits().sources.find(source);
    if (known == nullptr) {
        co_return failure(Fault::not_found, source + " is none of relay.sources");
    }
    auto changed = warm_;
    changed[source] = parts_.clock.now();
    auto text = text_of(changed);
    auto const written = co_await parts_.spool.put_note(warm_note(), std::move(text));
    if (!written) {
        co_return std::unexpected(Failure{Fault::unavailable, written.error().detail});
    }
    warm_ = std::move(changed);
    scheduler_.set_warm(warm_, parts_.clock.now());
    poke();
    co_return Result<void>{};
}

// ---- names of IPv6 addresses

Sources Dispatcher::sources_of(const std::string& source) const {
    auto sources = Sources::from(settings_->relay).of(source);
    for (auto const& setting : settings_->relay.sources) {
        boost::system::error_code bad;
        auto const address = boost::asio::ip::make_address(setting.address, bad);
        if (bad || !is_looked_at(setting, address)) continue;
        auto const found = reverse_names_.find(setting.address);
        if (found == reverse_names_.end() || !found->second.confirmed) sources.leave_out(address);
    }
    return sources;
}

std::vector<std::pair<std::string, ReverseName>> Dispatcher::unconfirmed() const {
    std::vector<std::pair<std::string, ReverseName>> all;
    for (auto const& [address, name] : reverse_names_) {
        if (!name.confirmed && !name.why.empty()) all.emplace_back(address, name);
    }
    return all;
}

Task<void> Dispatcher::watch_names() {
    while (!stopping_) {
        co_await look_up_names();
        auto next = parts_.clock.now() + look_most;
        for (auto const& [address, name] : reverse_names_)
            next = std::min(next, name.again);
        co_await parts_.clock.sleep_until(std::max(next, parts_.clock.now() + look_least));
    }
}

Task<void> Dispatcher::look_up_names() {
    auto const settings = settings_;
    std::erase_if(reverse_names_, [&](auto const& entry) {
        return std::ranges::none_of(settings->relay.sources, [&](auto const& source) {
            return source.address == entry.first && source.ptr == config::PtrRule::confirmed;
        });
    });
    for (auto const& source : settings->relay.sources) {
        boost::system::error_code bad;
        auto const address = boost::asio::ip::make_address(source.address, bad);
        if (bad || !is_looked_at(source, address)) continue;
        auto const [at, fresh] = reverse_names_.try_emplace(source.address);
        if (fresh) use_name(source, at->second);
    }
    for (auto const& source : settings->relay.sources) {
        auto const at = reverse_names_.find(source.address);
        if (at == reverse_names_.end() || at->second.again > parts_.clock.now()) {
            if (at != reverse_names_.end()) use_name(source, at->second);
            continue;
        }
        auto const address = boost::asio::ip::make_address(source.address);
        auto const pointers = co_await parts_.resolver.names(address);
        std::map<std::string, DnsAnswer<Address>> forward;
        for (auto const& name : pointers.records) {
            if (forward.size() == reverse_names_max) break;
            auto host = name;
            forward[name] = co_await parts_.resolver.addresses(std::move(host));
        }
        auto const before = reverse_names_.find(source.address);
        if (before == reverse_names_.end()) continue;  // other settings meanwhile
        auto found = confirm(before->second, address, pointers, forward, parts_.clock.now());
        bool const changes = found.confirmed != before->second.confirmed ||
                             found.known != before->second.known || found.why != before->second.why;
        if (changes && found.confirmed) {
            parts_.log.info("source.confirmed", {{"source", source.address}, {"name", found.name}});
        } else if (changes) {
            parts_.log.warning("source.unconfirmed",
                               {{"source", source.address}, {"why", found.why}});
        }
        use_name(source, std::move(found));
    }
}

/// A source whose only address it is rests while the name is not in order; of a pair the IPv4
/// address goes on alone.
void Dispatcher::use_name(const config::Source& source, ReverseName found) {
    auto const now = parts_.clock.now();
    auto const* const own = scheduler_.limits().sources.find(source.name);
    if (own != nullptr && !own->v4) {
        if (found.confirmed) {
            scheduler_.source_up(source.name, now);
        } else {
            scheduler_.source_down(source.name,
                                   std::max(found.again, now) + look_takes,
                                   found.why.empty()
                                       ? "the name of " + source.address + " is being looked up"
                                       : "its source is not used: " + found.why,
                                   now);
        }
    }
    reverse_names_[source.address] = std::move(found);
    poke();
}

}  // namespace millrace::relay
