#include "common/net/asio_clock.hpp"

#include <algorithm>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace millrace {
namespace {

Time wall_now() {
    return Time(
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

}  // namespace

AsioClock::AsioClock() : steady_start_(std::chrono::steady_clock::now()), start_(wall_now()) {}

Time AsioClock::now() const {
    return start_ + (std::chrono::steady_clock::now() - steady_start_);
}

Time AsioClock::wall() const {
    return wall_now();
}

Task<void> AsioClock::sleep_until(Time t) {
    // `never` does not fit behind the steady clock's epoch; a century is as good.
    constexpr Duration longest = std::chrono::hours(24 * 365 * 100);
    const auto ahead = std::min<Duration>(t > start_ ? t - start_ : Duration::zero(), longest);
    asio::steady_timer timer(co_await asio::this_coro::executor, steady_start_ + ahead);
    co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace millrace
