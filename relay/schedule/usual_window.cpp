#include "relay/schedule/usual_window.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr std::array<Duration, 9> windows{1min, 5min, 10min, 15min, 30min, 1h, 6h, 12h, 24h};

}  // namespace

Duration window_of(Duration span) {
    auto best = Duration{};
    for (auto const window : windows) {
        auto const times = std::round(seconds(span) / seconds(window));
        auto const off = std::abs(seconds(span) - times * seconds(window));
        if (times >= 1 && times <= 4 && off <= 0.03 * seconds(window)) best = window;
    }
    return best;
}

Duration rest_to_a_turn(Duration rest, Time now, Time began, Duration closed) {
    auto best = rest;
    for (auto const window : windows) {
        if (window < closed) continue;
        auto const margin = std::clamp<Duration>(window / 1000, 200ms, 3s);
        auto const turn = Time(window * (now.time_since_epoch() / window + 1)) + margin;
        for (auto const at : {turn, began + window + margin}) {
            if (at - now >= rest / 4 && at - now <= rest * 5 / 4) best = at - now;
        }
    }
    return best;
}

}  // namespace millrace::relay
