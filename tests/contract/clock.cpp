// Goal: the real and the virtual clock keep the same promises to whoever sleeps.

#include "common/net/clock.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "tests/contract/worlds.hpp"

namespace millrace::contract {
namespace {

template <class World>
class ClockContract : public Contract<World> {};
TYPED_TEST_SUITE(ClockContract, Worlds);

Task<void> sleep_and_note(Clock& clock, Time until, int name, std::string& order) {
    co_await clock.sleep_until(until);
    EXPECT_GE(clock.now(), until);
    order += std::to_string(name);
}

TYPED_TEST(ClockContract, WakesInTheOrderOfTimes) {
    Clock& clock = this->world.clock();
    std::string order;
    const Time start = clock.now();
    this->world.spawn(sleep_and_note(clock, start + std::chrono::milliseconds(30), 2, order));
    this->world.spawn(sleep_and_note(clock, start + std::chrono::milliseconds(10), 1, order));
    this->world.run(sleep_and_note(clock, start + std::chrono::milliseconds(60), 3, order));
    EXPECT_EQ(order, "123");
}

Task<void> past(Clock& clock) {
    const Time before = clock.now();
    co_await clock.sleep_until(before - std::chrono::hours(1));
    co_await clock.sleep_until(Time{});
    EXPECT_LT(clock.now() - before, std::chrono::seconds(10));
}

TYPED_TEST(ClockContract, DoesNotWaitForThePast) {
    this->world.run(past(this->world.clock()));
}

TYPED_TEST(ClockContract, StartsAtTheWallClock) {
    Clock& clock = this->world.clock();
    EXPECT_LT(std::chrono::abs(clock.now() - clock.wall()), std::chrono::seconds(5));
}

Task<void> sleep_for_ever(Clock& clock, std::string& said) {
    bool aborted = false;
    try {
        co_await clock.sleep_until(never);
    } catch (const boost::system::system_error& error) {
        aborted = error.code() == asio::error::operation_aborted;
    }
    said = aborted ? "aborted" : "woke";
}

Task<void> cancel_soon(Clock& clock, asio::cancellation_signal& signal, const std::string& said) {
    co_await clock.sleep(std::chrono::milliseconds(5));
    signal.emit(asio::cancellation_type::terminal);
    for (int i = 0; i < 100 && said.empty(); ++i)
        co_await clock.sleep(std::chrono::milliseconds(5));
}

TYPED_TEST(ClockContract, EndsACancelledSleepAsAsioDoes) {
    Clock& clock = this->world.clock();
    asio::cancellation_signal signal;
    std::string said;
    asio::co_spawn(this->world.executor(),
                   sleep_for_ever(clock, said),
                   asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr) {}));
    this->world.run(cancel_soon(clock, signal, said));
    EXPECT_EQ(said, "aborted");
}

}  // namespace
}  // namespace millrace::contract
