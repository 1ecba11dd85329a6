#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "common/base/log.hpp"
#include "common/net/asio_clock.hpp"
#include "relay/spool/spool.hpp"
#include "relay/spool/stream.hpp"

namespace millrace::relay {

/// One kind of spool on something that outlives it.
class SpoolUnderTest {
  public:
    virtual ~SpoolUnderTest() = default;
    /// Opens what is there.
    virtual std::unique_ptr<Spool> open(asio::any_io_executor executor, Clock& clock, Log& log) = 0;
    /// The process dies now; `spool` is what it had open.
    virtual void crash(std::unique_ptr<Spool> spool) = 0;
    /// Makes no room for new mail, or gives it back.
    virtual void fill(bool full) = 0;
    /// Turns a bit of a stored body while no spool is open; false where that cannot be done.
    virtual bool rot(MessageId id) = 0;
};

using MakeSpool = std::function<std::unique_ptr<SpoolUnderTest>()>;
using Spools = testing::internal::ParamGenerator<std::pair<std::string, MakeSpool>>;
/// All of them.
Spools spools_under_test();

/// Fixture of the suite that every spool passes (spool_contract.cpp).
class SpoolContract : public testing::TestWithParam<std::pair<std::string, MakeSpool>> {
  protected:
    void SetUp() override;
    void TearDown() override;

    /// Runs one conversation with the spool to its end.
    template <class T>
    T run(Task<T> task) {
        std::optional<T> out;
        io_.restart();
        asio::co_spawn(io_, keep(std::move(task), &out), asio::detached);
        io_.run();
        return std::move(out.value());
    }
    template <class T>
    static Task<void> keep(Task<T> task, std::optional<T>* out) {
        out->emplace(co_await std::move(task));
    }
    /// Commits both at once, so that they may share a flush.
    std::pair<Result<Committed>, Result<Committed>> commit_both(Batch first, Batch second);
    void crash_and_reopen();
    void close();
    void reopen();

    Committed commit(Batch batch);
    /// One message for these destinations, appended.
    MessageId append(std::vector<std::string> destinations, Time due = Time{});
    NewMail mail(std::vector<std::string> destinations, Time due = Time{});
    /// Where mail() puts the works for a destination.
    static std::string stream(const std::string& destination);
    std::vector<Work> due(const std::string& destination, Time until = never, unsigned max = 100);
    static Batch finish(const Work& work, EventKind kind = EventKind::delivered);

    asio::io_context io_;
    AsioClock clock_;
    NullLog log_;
    std::unique_ptr<SpoolUnderTest> medium_;
    std::unique_ptr<Spool> spool_;
    MessageIds ids_{1};
};

Time at_second(std::int64_t seconds);

}  // namespace millrace::relay
