#include "relay/schedule/warm_up.hpp"

#include <algorithm>
#include <fmt/format.h>

#include <boost/json.hpp>

namespace millrace::relay {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr Duration a_day = 24h;
constexpr Duration forgotten_after = 24h * 30;
/// A day counts when four of five that were allowed went through, …
constexpr unsigned reached_of_five = 4;
/// … one in twenty at most was refused for our sake, and one in thirty-three recipients unknown.
constexpr unsigned refused_one_in = 20;
constexpr unsigned unknown_one_in = 33;
/// One refusal among a handful of messages says nothing.
constexpr unsigned refusals_least = 3;
constexpr unsigned hours_least = 8;
constexpr unsigned portions_an_hour = 4;

std::int64_t stamp(Time t) {
    return t.time_since_epoch().count();
}

}  // namespace

WarmUp::WarmUp(const WarmUpPlan& plan) : plan_(plan) {
    state_.allowance = plan_.first;
}

void WarmUp::set_plan(const WarmUpPlan& plan) {
    if (plan == plan_) return;
    plan_ = plan;
    state_.allowance = std::max(state_.allowance, plan_.first);
}

bool WarmUp::day_over(Time now) const {
    return state_.day == Time{} || now >= state_.day + a_day;
}

bool WarmUp::hour_over(Time now) const {
    return state_.hour == Time{} || now >= state_.hour + 1h;
}

bool WarmUp::idle(Time now) const {
    return state_.last != Time{} && now - state_.last >= forgotten_after;
}

unsigned WarmUp::of_an_hour() const {
    return (state_.allowance + hours_least - 1) / hours_least;
}

Time WarmUp::next(Time now) const {
    if (idle(now) || over() || day_over(now)) return now;
    auto const tomorrow = state_.day + a_day;
    if (state_.begun >= state_.allowance) return tomorrow;
    if (hour_over(now) || state_.begun_hour < of_an_hour()) return now;
    return std::min<Time>(state_.hour + 1h, tomorrow);
}

bool WarmUp::covered(Time now) const {
    if (idle(now)) return false;
    if (over()) return true;
    if (promised_ == 0 || next(now) > now) return false;
    // A promise that was made before a day's first message is of that day.
    return state_.day == Time{} || (!day_over(now) && (state_.hour == Time{} || !hour_over(now)));
}

WarmUp::State WarmUp::after_the_day(State s) const {
    bool const refused = s.refused >= refusals_least && s.refused * refused_one_in > s.begun;
    bool const unknown = s.unknown >= refusals_least && s.unknown * unknown_one_in > s.recipients;
    bool const reached = s.passed * 5ULL >= s.allowance * std::uint64_t{reached_of_five};
    if (refused || unknown) {
        s.allowance = std::max(plan_.first, s.allowance / 2);
    } else if (reached) {
        ++s.days;
        if (s.passed >= plan_.goal) s.warm = s.day + a_day;
        s.allowance = std::max(s.allowance, std::min(s.passed, 1'000'000'000U) * 2);
    }
    s.day = s.hour = Time{};
    s.begun = s.begun_hour = s.passed = s.refused = s.recipients = s.unknown = 0;
    return s;
}

WarmUp::State WarmUp::rolled(Time now) const {
    auto s = state_;
    if (idle(now)) {
        State fresh;
        fresh.allowance = plan_.first;
        return fresh;
    }
    if (s.day != Time{} && now >= s.day + a_day) s = after_the_day(s);
    if (s.hour != Time{} && now >= s.hour + 1h) {
        s.hour = Time{};
        s.begun_hour = 0;
    }
    return s;
}

void WarmUp::roll(Time now) {
    bool const day = idle(now) || (state_.day != Time{} && now >= state_.day + a_day);
    bool const hour = state_.hour != Time{} && now >= state_.hour + 1h;
    if (!day && !hour) return;
    revoke();
    state_ = rolled(now);
    changed_ = changed_ || day;
}

void WarmUp::count(Time now) {
    auto& s = state_;
    if (now - s.last >= a_day) changed_ = true;
    s.last = now;
    if (over()) return;
    if (s.began == Time{}) s.began = now;
    if (s.day == Time{}) s.day = now;
    if (s.hour == Time{}) s.hour = now;
    ++s.begun;
    ++s.begun_hour;
}

std::uint64_t WarmUp::room(Time now) const {
    if (over() || next(now) > now) return 0;
    return std::min(state_.allowance - std::min(state_.allowance, state_.begun),
                    of_an_hour() - std::min(of_an_hour(), state_.begun_hour));
}

std::uint64_t WarmUp::portion() const {
    return std::max(1U, of_an_hour() / portions_an_hour);
}

void WarmUp::passed(Time now) {
    roll(now);
    if (over()) return;
    ++state_.passed;
    changed_ = true;
}

void WarmUp::refused(Time now) {
    roll(now);
    if (over()) return;
    ++state_.refused;
    changed_ = true;
}

void WarmUp::recipient(bool unknown, Time now) {
    roll(now);
    if (over()) return;
    ++state_.recipients;
    state_.unknown += unknown ? 1 : 0;
    changed_ = true;
}

void WarmUp::mark_warm(Time now) {
    roll(now);
    if (over()) return;
    revoke();
    state_.warm = now;
    state_.last = now;
    changed_ = true;
}

unsigned WarmUp::allowance(Time now) const {
    return rolled(now).allowance;
}

unsigned WarmUp::in_an_hour(Time now) const {
    return (allowance(now) + hours_least - 1) / hours_least;
}

unsigned WarmUp::begun(Time now) const {
    return rolled(now).begun;
}

Time WarmUp::ends(Time now) const {
    auto const s = rolled(now);
    if (s.warm != Time{} || s.began == Time{}) return never;
    auto end = (s.day == Time{} ? now : s.day) + a_day;
    for (std::uint64_t day = s.allowance; day < plan_.goal; day *= 2)
        end += a_day;
    return end;
}

std::string WarmUp::text(std::uint64_t promised) const {
    auto const& s = state_;
    return json::serialize(json::object{{"version", 1},
                                        {"began", stamp(s.began)},
                                        {"day", stamp(s.day)},
                                        {"hour", stamp(s.hour)},
                                        {"allowance", s.allowance},
                                        {"begun", s.begun},
                                        {"begun_hour", s.begun_hour},
                                        {"promised", promised},
                                        {"passed", s.passed},
                                        {"refused", s.refused},
                                        {"recipients", s.recipients},
                                        {"unknown", s.unknown},
                                        {"days", s.days},
                                        {"last", stamp(s.last)},
                                        {"warm", stamp(s.warm)}});
}

void WarmUp::restore(const std::string& note, Time now) {
    boost::system::error_code bad;
    auto const value = json::parse(note, bad);
    if (bad || !value.is_object()) return;
    auto const& o = value.get_object();
    auto const whole = [&](const char* name) -> std::int64_t {
        auto const* const v = o.if_contains(name);
        boost::system::error_code odd;
        auto const n = v == nullptr ? 0 : v->to_number<std::int64_t>(odd);
        return odd ? 0 : n;
    };
    auto const count = [&](const char* name) {
        return static_cast<unsigned>(std::clamp<std::int64_t>(whole(name), 0, 2'000'000'000));
    };
    auto const time = [&](const char* name) {
        return Time(Duration(whole(name)));
    };
    if (whole("version") != 1) return;
    State s;
    s.began = time("began");
    s.day = time("day");
    s.hour = time("hour");
    s.allowance = std::max(plan_.first, count("allowance"));
    s.begun = count("begun");
    s.begun_hour = count("begun_hour");
    s.passed = count("passed");
    s.refused = count("refused");
    s.recipients = count("recipients");
    s.unknown = count("unknown");
    s.days = count("days");
    s.last = time("last");
    s.warm = time("warm");
    // Nobody knows whether it was used, or when, up to this moment: it counts as used now.
    if (auto const promised = count("promised"); promised > 0) {
        if (s.began == Time{}) s.began = now;
        if (s.day == Time{}) s.day = now;
        s.hour = s.hour == Time{} ? now : s.hour;
        s.begun += promised;
        s.begun_hour += promised;
        s.last = std::max(s.last, std::min(now, s.day + a_day));
    }
    state_ = s;
    changed_ = false;
}

std::string warm_up_text(const std::string& whose,
                         const std::string& provider,
                         const WarmUp& warm_up,
                         Time now) {
    auto const allowance = warm_up.allowance(now);
    bool const day = warm_up.begun(now) >= allowance;
    auto const end = warm_up.ends(now);
    auto const days = end == never ? 0 : (end - now + a_day - 1ns) / a_day;
    return fmt::format(
        "{} is new to {} and is being warmed up: {} messages today, {} an hour, and "
        "those of {} are sent{}",
        whose,
        provider,
        allowance,
        warm_up.in_an_hour(now),
        day ? "today" : "this hour",
        days <= 0 ? ""
                  : fmt::format("; the warm-up is over in {} day{} if every day goes well",
                                days,
                                days == 1 ? "" : "s"));
}

}  // namespace millrace::relay
