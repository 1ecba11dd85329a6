#include "relay/schedule/quota.hpp"

#include <algorithm>
#include <fmt/format.h>

#include <boost/json.hpp>

namespace millrace::relay {
namespace {

namespace json = boost::json;

/// A promise is one in so many of the limit: a crash loses no more, the disk hears of it as often.
constexpr unsigned portions = 50;

json::array write(const std::deque<std::pair<Time, unsigned>>& counts) {
    json::array all;
    for (auto const& [at, n] : counts)
        all.push_back(json::array{at.time_since_epoch().count(), n});
    return all;
}

}  // namespace

void Quota::Window::add(Time now, unsigned n) {
    if (counts.empty() || now - counts.back().first >= step) counts.emplace_back(now, 0);
    counts.back().second += n;
}

void Quota::Window::forget(Time now) {
    while (!counts.empty() && counts.front().first + step + span <= now)
        counts.pop_front();
}

std::uint64_t Quota::Window::within(Time now) const {
    std::uint64_t sum = 0;
    for (auto const& [at, n] : counts) {
        if (at + step + span > now) sum += n;
    }
    return sum;
}

Time Quota::Window::below(std::uint64_t most, Time now) const {
    auto left = within(now);
    if (left < most) return now;
    for (auto const& [at, n] : counts) {
        if (at + step + span <= now) continue;
        left -= n;
        if (left < most) return at + step + span;
    }
    return now;
}

void Quota::set_limits(unsigned per_hour, unsigned per_day) {
    per_hour_ = per_hour;
    per_day_ = per_day;
}

Time Quota::next(Time now) const {
    auto at = now;
    if (per_hour_ > 0) at = std::max(at, hour_.below(per_hour_, now));
    if (per_day_ > 0) at = std::max(at, day_.below(per_day_, now));
    return at;
}

bool Quota::covered(Time now) const {
    return !limited() || (promised_ > 0 && next(now) <= now);
}

std::string Quota::text_of_limit(Time now) const {
    bool const day = per_day_ > 0 && (per_hour_ == 0 || day_.below(per_day_, now) > now);
    return fmt::format("{} message{} in {}",
                       day ? per_day_ : per_hour_,
                       (day ? per_day_ : per_hour_) == 1 ? "" : "s",
                       day ? "a day" : "an hour");
}

void Quota::roll(Time now) {
    hour_.forget(now);
    day_.forget(now);
}

void Quota::count(Time now) {
    if (per_hour_ > 0) hour_.add(now, 1);
    if (per_day_ > 0) day_.add(now, 1);
}

std::uint64_t Quota::room(Time now) const {
    auto left = ~std::uint64_t{0};
    auto const take = [&](std::uint64_t limit, const Window& window) {
        if (limit > 0) left = std::min(left, limit - std::min(limit, window.within(now)));
    };
    take(per_hour_, hour_);
    take(per_day_, day_);
    return limited() ? left : 0;
}

std::uint64_t Quota::portion() const {
    auto const least = per_hour_ == 0  ? per_day_
                       : per_day_ == 0 ? per_hour_
                                       : std::min(per_hour_, per_day_);
    return std::max(1U, least / portions);
}

std::string Quota::text(std::uint64_t promised) const {
    return json::serialize(json::object{{"version", 1},
                                        {"hour", write(hour_.counts)},
                                        {"day", write(day_.counts)},
                                        {"promised", promised}});
}

void Quota::restore(const std::string& note, Time now) {
    boost::system::error_code bad;
    auto const value = json::parse(note, bad);
    auto const* const o = bad ? nullptr : value.if_object();
    auto const whole = [](const json::value* v) -> std::int64_t {
        boost::system::error_code odd;
        auto const n = v == nullptr ? 0 : v->to_number<std::int64_t>(odd);
        return odd ? 0 : std::max<std::int64_t>(0, n);
    };
    if (o == nullptr || whole(o->if_contains("version")) != 1) return;
    auto const read = [&](const char* name, Window& window) {
        window.counts.clear();
        auto const* const list = o->if_contains(name);
        if (list == nullptr || !list->is_array()) return;
        for (auto const& one : list->get_array()) {
            auto const* const pair = one.if_array();
            if (pair == nullptr || pair->size() != 2) continue;
            // A clock that was set back meanwhile frees nothing, and locks nothing up for ever.
            auto const at = std::min(now, Time(Duration(whole(&pair->at(0)))));
            window.counts.emplace_back(
                at,
                static_cast<unsigned>(std::min<std::int64_t>(whole(&pair->at(1)), 1'000'000'000)));
        }
        std::ranges::sort(window.counts);
        window.forget(now);
    };
    read("hour", hour_);
    read("day", day_);
    // When it was used, if it was, nobody knows: at this moment at the latest.
    if (auto const promised = whole(o->if_contains("promised")); promised > 0) {
        auto const n = static_cast<unsigned>(std::min<std::int64_t>(promised, 1'000'000'000));
        hour_.counts.emplace_back(now, n);
        day_.counts.emplace_back(now, n);
    }
    changed_ = false;
}

}  // namespace millrace::relay
