#include "relay/rehearse/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <unordered_map>

#include <boost/json.hpp>

#include "relay/rehearse/cast.hpp"
#include "relay/rehearse/rehearsal.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// A message is a handful of events; a world that takes very many more is not waited for.
constexpr std::uint64_t events_per_message = 40;
constexpr std::uint64_t events_spare = 50'000;
/// Part of the rehearsed messages over which the pace of the rest is measured.
constexpr double measured_part = 0.45;
/// What no model holds: our machine, the network, the receiver's day.
constexpr double model_spread = 0.05;
constexpr double minutes_until_back = 20;

/// Where in one world the mail of a provider stands: when each rehearsed message was through.
class Progress {
  public:
    void through(Time at, std::size_t destination) {
        times_.push_back(at);
        if (last_.size() <= destination) last_.resize(destination + 1);
        last_[destination] = times_.size();
        if (done_.size() <= destination) done_.resize(destination + 1);
        ++done_[destination];
    }
    /// When the whole provider, or a destination of it, is done; `never`: it is not. The rehearsed
    /// part took as long as it took; the rest goes at the best pace that was held for long.
    Time finish(const Cast::Provider& p, bool over) const {
        return reckon(times_.size(), p.played, p.count, over);
    }
    Time finish(const Cast::Provider& p, std::size_t destination, bool over) const {
        if (destination >= last_.size()) return never;
        std::uint64_t played = 0;
        for (auto const& stream : p.destinations[destination].streams)
            played += stream.played;
        if (over && done_[destination] < played) return never;
        auto const part = static_cast<double>(last_[destination]) / static_cast<double>(p.played);
        auto const whole = static_cast<std::uint64_t>(part * static_cast<double>(p.count));
        return reckon(last_[destination], last_[destination], whole, over);
    }

  private:
    /// `over`: the world came to its end; else it was broken off for want of patience.
    Time reckon(std::size_t got, std::uint64_t wanted, std::uint64_t whole, bool over) const {
        if (got == 0 || (over && got < wanted)) return never;
        auto const at = times_[got - 1];
        if (whole <= got) return at;
        auto const span = std::max<std::size_t>(
            1, static_cast<std::size_t>(measured_part * static_cast<double>(times_.size())));
        if (times_.size() <= span) return never;
        auto best = Duration::max();
        for (std::size_t i = 0; i + span < times_.size(); ++i) {
            best = std::min(best, times_[i + span] - times_[i]);
        }
        auto const each = seconds(best) / static_cast<double>(span);
        return at + of_seconds(each * static_cast<double>(whole - got));
    }

    std::vector<Time> times_;
    std::vector<std::size_t> last_;    ///< by destination: place of its last one in times_
    std::vector<std::uint64_t> done_;  ///< … and how many are through
};

/// Sorted samples of one row.
Finish finish_of(std::vector<double> samples) {
    std::ranges::sort(samples);
    auto const at = [&](double part) -> std::optional<Duration> {
        auto const place = part * static_cast<double>(samples.size() - 1);
        auto const low = static_cast<std::size_t>(place);
        auto const high = std::min(low + 1, samples.size() - 1);
        auto const value =
            samples[low] + (samples[high] - samples[low]) * (place - static_cast<double>(low));
        if (!std::isfinite(value)) return std::nullopt;
        return of_seconds(value);
    };
    if (samples.empty()) return {};
    return {at(0.1), at(0.5), at(0.9)};
}

class Forecaster {
  public:
    Forecaster(const Standing& standing, const ForecastOptions& options)
        : standing_(standing),
          options_(options),
          cast_(standing,
                std::max<std::uint64_t>(500, options.messages / std::max(1U, options.worlds))) {
        for (std::size_t p = 0; p < cast_.providers().size(); ++p) {
            auto const& all = cast_.providers()[p].destinations;
            samples_.emplace_back(all.size());
            for (std::size_t d = 0; d < all.size(); ++d)
                whose_[all[d].name] = {p, d};
        }
    }

    Forecast run() {
        for (unsigned i = 0; i < options_.worlds && cast_.count() > 0; ++i) {
            world(i);
            if (options_.on_world) options_.on_world(i + 1);
        }
        return tell();
    }

  private:
    struct Whose {
        std::size_t provider = 0, destination = 0;
    };

    RehearsalSetup setup(SeededRandom& random) const {
        RehearsalSetup s;
        s.begin = standing_.now;
        s.end = standing_.now + standing_.retry.expire_after;
        s.seed = random.next();
        s.limits = standing_.limits;
        s.retry = standing_.retry;
        s.idle_connection = standing_.idle_connection;
        // Of several sources the first stands for all, so that mail may be through sooner.
        for (auto const& share : standing_.shares) {
            s.notes.try_emplace(Scheduler::share_name("", share.provider), share.note);
        }
        for (auto const& provider : cast_.providers()) {
            auto draw = provider.belief.draw(random);
            auto const index = s.receivers.size();
            if (draw.opens != Time{}) {
                auto open = draw.limits;
                open.block = Blame::none;
                s.changes.push_back({draw.opens, index, std::move(open)});
            } else if (provider.down_until > standing_.now && random.unit() < 0.5) {
                auto const more = -std::log(1 - random.unit()) * minutes_until_back * 60;
                s.changes.push_back({provider.down_until + of_seconds(more), index, draw.limits});
                draw.limits.down = true;
            }
            s.receivers.emplace_back(provider.name, draw.limits);
            for (auto const& destination : provider.destinations) {
                s.places.push_back(
                    {destination.name, {destination.site, provider.name, {}, {}}, index});
                for (auto const& stream : destination.streams) {
                    auto at = stream.at;
                    for (auto const& [domain, open] : draw.senders_open) {
                        if (domain == stream.key.sender_domain) at = std::max(at, open);
                    }
                    s.mail.push_back({at, stream.key, stream.played, true});
                }
            }
        }
        std::ranges::sort(s.mail, {}, &RehearsalSetup::Mail::at);
        return s;
    }

    void world(unsigned number) {
        SeededRandom random(options_.seed * 1'000'003 + number);
        std::vector<Progress> progress(cast_.providers().size());
        Rehearsal rehearsal(setup(random));
        rehearsal.on_delivered = [&](const StreamKey& stream, Time, Time now) {
            auto const& whose = whose_.at(stream.destination);
            progress[whose.provider].through(now, whose.destination);
        };
        bool const over = rehearsal.run(cast_.played() * events_per_message + events_spare);
        auto last = 0.0;
        auto const machine = about(random, model_spread);
        for (std::size_t p = 0; p < progress.size(); ++p) {
            auto const& provider = cast_.providers()[p];
            auto const factor = machine * about(random, model_spread);
            auto const after = [&](Time at) {
                return at == never ? INFINITY : seconds(at - standing_.now) * factor;
            };
            for (std::size_t d = 0; d < provider.destinations.size(); ++d) {
                samples_[p][d].push_back(after(progress[p].finish(provider, d, over)));
            }
            last = std::max(last, after(progress[p].finish(provider, over)));
        }
        total_.push_back(last);
    }

    Forecast tell() const {
        Forecast f;
        f.now = standing_.now;
        f.worlds = options_.worlds;
        f.rehearsed = cast_.played();
        std::size_t unknown = 0, blocked = 0;
        for (std::size_t p = 0; p < cast_.providers().size(); ++p) {
            auto const& provider = cast_.providers()[p];
            unknown += provider.belief.known() ? 0 : 1;
            blocked += provider.belief.share().block().on_trial() ? 1 : 0;
            for (std::size_t d = 0; d < provider.destinations.size(); ++d) {
                auto const& destination = provider.destinations[d];
                add(f,
                    destination,
                    provider.name,
                    finish_of(samples_[p][d]),
                    destination.why.empty() ? provider.belief.words() : destination.why);
            }
        }
        for (auto const& destination : cast_.idle()) {
            add(f,
                destination,
                {},
                {},
                destination.why.empty() ? "held: millrace release --destination " + destination.name
                                        : destination.why);
        }
        std::ranges::sort(f.rows, [](const ForecastRow& l, const ForecastRow& r) {
            auto const late = [](const ForecastRow& row) {
                return row.finish.p50.value_or(Duration::max());
            };
            return std::pair(late(r), l.destination) < std::pair(late(l), r.destination);
        });
        f.total.destination = "all";
        f.total.finish = finish_of(total_);
        tell_assumptions(f, unknown, blocked);
        return f;
    }

    void add(Forecast& f,
             const Cast::Destination& d,
             const std::string& provider,
             Finish finish,
             std::string basis) const {
        f.total.queued += d.count;
        f.total.put_off += d.put_off;
        f.total.held += d.held;
        if (!options_.only.empty() && !std::ranges::binary_search(options_.only, d.name)) return;
        ForecastRow row{d.name, provider, d.count, d.put_off, d.held, finish, std::move(basis)};
        if (d.stands_for > 1) {
            row.destination += fmt::format(" and {} more", d.stands_for - 1);
        }
        f.rows.push_back(std::move(row));
    }

    void tell_assumptions(Forecast& f, std::size_t unknown, std::size_t blocked) const {
        auto const say = [&](std::string text) {
            f.assumes.push_back(std::move(text));
        };
        say("no other mail comes meanwhile");
        if (f.total.put_off > 0) {
            say("what was put off goes through at its next attempt");
        }
        if (f.total.held > 0) say("what is held stays held, and is not counted");
        if (unknown > 0) {
            say(fmt::format("{} whose limits nobody knows yet {} receivers are in general",
                            unknown == 1 ? "one receiver" : fmt::format("{} receivers", unknown),
                            unknown == 1 ? "is as" : "are as"));
        }
        if (blocked > 0)
            say("a block is lifted at one of the next attempts: nobody knows at which");
        if (f.rehearsed < cast_.count()) {
            say(fmt::format("{} of the messages were rehearsed; the rest goes on at their pace",
                            f.rehearsed));
        }
    }

    const Standing& standing_;
    const ForecastOptions& options_;
    Cast cast_;
    std::unordered_map<std::string, Whose> whose_;
    std::vector<std::vector<std::vector<double>>>
        samples_;  ///< seconds, by provider and destination
    std::vector<double> total_;
};

boost::json::object row_json(const ForecastRow& row) {
    boost::json::object o{{"destination", row.destination},
                          {"queued", row.queued},
                          {"put_off", row.put_off},
                          {"held", row.held}};
    if (!row.provider.empty()) o["provider"] = row.provider;
    auto const put = [&](const char* key, const std::optional<Duration>& at) {
        if (at) o[key] = std::round(seconds(*at) * 10) / 10;
    };
    put("p10_s", row.finish.p10);
    put("p50_s", row.finish.p50);
    put("p90_s", row.finish.p90);
    if (!row.basis.empty()) o["basis"] = row.basis;
    return o;
}

}  // namespace

Forecast forecast(const Standing& standing, const ForecastOptions& options) {
    return Forecaster(standing, options).run();
}

boost::json::object to_json(const Forecast& f) {
    boost::json::array rows, assumes;
    for (auto const& row : f.rows)
        rows.push_back(row_json(row));
    for (auto const& text : f.assumes)
        assumes.emplace_back(text);
    return {{"now", to_rfc3339(f.now)},
            {"worlds", f.worlds},
            {"rehearsed", f.rehearsed},
            {"total", row_json(f.total)},
            {"destinations", std::move(rows)},
            {"assumes", std::move(assumes)}};
}

}  // namespace millrace::relay
