// Goal: jobs run exactly once and their callers resume on their own loop, in both versions.

#include "common/net/work_pool.hpp"

#include <atomic>
#include <thread>

#include "tests/contract/worlds.hpp"

namespace millrace::contract {
namespace {

template <class World>
class WorkPoolContract : public Contract<World> {};
TYPED_TEST_SUITE(WorkPoolContract, Worlds);

Task<void> work(WorkPool& pool, std::atomic<int>& runs, int& answers) {
    const auto home = std::this_thread::get_id();
    int made = 0;
    for (int i = 0; i < 20; ++i) {
        auto job = [&made, &runs] {
            ++made;
            ++runs;
        };
        co_await pool.run(std::function<void()>(job));
        EXPECT_EQ(made, i + 1) << "resumed before its own job was done";
        EXPECT_EQ(std::this_thread::get_id(), home);
    }
    ++answers;
}

Task<void> until(Clock& clock, const int& answers, int all) {
    while (answers < all)
        co_await clock.sleep(std::chrono::milliseconds(1));
}

TYPED_TEST(WorkPoolContract, RunsEveryJobOnceAndAnswersAtHome) {
    std::atomic<int> runs{0};
    int answers = 0;
    constexpr int callers = 50;
    for (int i = 0; i < callers; ++i)
        this->world.spawn(work(this->world.pool(), runs, answers));
    this->world.run(until(this->world.clock(), answers, callers));
    EXPECT_EQ(runs, callers * 20);
}

TYPED_TEST(WorkPoolContract, LetsGoOfTheJobBeforeItAnswers) {
    // What a job holds (a batch, a body) must not live on in some queue.
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> watch = held;
    auto body = [](WorkPool& pool, std::shared_ptr<int> mine, std::weak_ptr<int> w) -> Task<void> {
        std::function<void()> job = [mine = std::move(mine)] {
            ++*mine;
        };
        co_await pool.run(std::move(job));
        EXPECT_TRUE(w.expired());
    };
    this->world.run(body(this->world.pool(), std::move(held), watch));
}

}  // namespace
}  // namespace millrace::contract
