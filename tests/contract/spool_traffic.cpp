// Goal: a spool that is used from all sides at once shows everybody whole states. One thing after
// the other, as in spool_contract.cpp, a lock that is missing shows nothing; here ThreadSanitizer
// has something to see.
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/contract/spool_contract.hpp"

namespace millrace::relay {
namespace {

/// Senders, couriers and people at one spool at the same time.
struct Traffic {
    Spool& spool;
    asio::any_io_executor executor;
    std::vector<NewMail> mail;  ///< still to be appended
    std::size_t taken = 0;      ///< appended
    std::size_t finished = 0;   ///< by the writer that was not late
    std::size_t total = 0;      ///< messages, of one recipient each
    std::uint64_t last_event = 0;
    unsigned rounds = 0;  ///< of questions
    std::string wrong;

    bool over() const { return finished == total || !wrong.empty(); }

    /// A spool in memory answers at once: without this the first to ask would never stop.
    static Task<void> step_aside(Traffic& t) {
        co_await asio::post(t.executor, asio::use_awaitable);
    }

    static Task<void> send(Traffic& t) {
        while (!t.mail.empty() && !t.over()) {
            Batch batch;
            batch.append.push_back(std::move(t.mail.back()));
            t.mail.pop_back();
            auto const done = co_await t.spool.commit(std::move(batch));
            if (!done) t.wrong = "append: " + done.error().detail;
            ++t.taken;
        }
    }

    static Task<void> deliver(Traffic& t, std::string stream) {
        while (!t.over()) {
            co_await step_aside(t);
            auto const works = co_await t.spool.due(stream, never, {}, 7);
            if (!works) t.wrong = "due: " + works.error().detail;
            for (std::size_t i = 0; works && i < works->size(); ++i) {
                auto const& work = works->at(i);
                auto const body = co_await t.spool.body(work.key.message);
                if (!body && body.error().fault != Fault::not_found) t.wrong = body.error().detail;
                Batch batch;
                batch.finish.push_back({work.key, work.version, {}});
                batch.finish.back().event.kind = EventKind::delivered;
                auto const done = co_await t.spool.commit(std::move(batch));
                if (!done) t.wrong = "finish: " + done.error().detail;
                if (done && done->stale == 0) ++t.finished;
            }
        }
    }

    static Task<void> ask(Traffic& t) {
        while (!t.over()) {
            co_await step_aside(t);
            ++t.rounds;
            auto const rows = co_await t.spool.summary();
            std::uint64_t waiting = 0;
            for (std::size_t i = 0; rows && i < rows->size(); ++i)
                waiting += rows->at(i).count;
            if (!rows || waiting > t.total) t.wrong = "summary";
            auto const found = co_await t.spool.find({}, {}, 20);
            if (!found) t.wrong = "find: " + found.error().detail;
            auto const stock = co_await t.spool.stock();
            if (!stock) t.wrong = "stock: " + stock.error().detail;
            if (stock && !discrepancies(*stock).empty()) t.wrong = discrepancies(*stock).front();
            auto const health = t.spool.health();
            if (health.books.received != health.books.ended() + health.queued) t.wrong = "books";
            if (!health.accepting || health.queued > t.total) t.wrong = "health: " + health.why;
        }
    }

    static Task<void> follow(Traffic& t) {
        while (!t.over()) {
            co_await step_aside(t);
            auto const events = co_await t.spool.events(t.last_event, 50);
            if (!events) t.wrong = "events: " + events.error().detail;
            for (std::size_t i = 0; events && i < events->size(); ++i) {
                if (events->at(i).id != ++t.last_event) t.wrong = "an event is missing";
            }
        }
    }
};

TEST_P(SpoolContract, SendersCouriersAndPeopleAtTheSameTimeSeeWholeStates) {
    Traffic traffic{.spool = *spool_, .executor = io_.get_executor(), .mail = {}, .wrong = {}};
    std::vector<std::string> const destinations{"example.com", "example.net", "example.org"};
    for (std::size_t i = 0; i < 240; ++i) {
        traffic.mail.push_back(mail({destinations[i % 3]}, at_second(static_cast<int>(i % 7))));
    }
    traffic.total = traffic.mail.size();
    io_.restart();
    for (int i = 0; i < 4; ++i)
        asio::co_spawn(io_, Traffic::send(traffic), asio::detached);
    for (auto const& destination : destinations) {
        // Two for each, so that one of them is late again and again.
        asio::co_spawn(io_, Traffic::deliver(traffic, stream(destination)), asio::detached);
        asio::co_spawn(io_, Traffic::deliver(traffic, stream(destination)), asio::detached);
    }
    asio::co_spawn(io_, Traffic::ask(traffic), asio::detached);
    asio::co_spawn(io_, Traffic::follow(traffic), asio::detached);
    io_.run();
    EXPECT_EQ(traffic.wrong, "");
    EXPECT_EQ(traffic.taken, traffic.total);
    EXPECT_EQ(traffic.finished, traffic.total) << "each is finished once";
    EXPECT_GT(traffic.rounds, 3U);
    EXPECT_EQ(spool_->health().queued, 0U);
    auto const events = run(spool_->events(0, 1000));
    ASSERT_TRUE(events);
    EXPECT_EQ(events->size(), 2 * traffic.total) << "received and delivered, once each";
    EXPECT_EQ(events->back().id, events->size());
}

}  // namespace
}  // namespace millrace::relay
