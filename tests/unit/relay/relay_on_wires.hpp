#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "common/net/task_group.hpp"
#include "common/virtual/network.hpp"
#include "common/virtual/receiver.hpp"
#include "common/virtual/resolver.hpp"
#include "common/virtual/work_pool.hpp"
#include "relay/api/control_commands.hpp"
#include "relay/relay.hpp"
#include "relay/spool/memory_spool.hpp"

namespace millrace::relay {

using namespace std::chrono_literals;
using virtual_::Moment;
using virtual_::Receiver;

inline Address ip(const char* text) {
    return boost::asio::ip::make_address(text);
}

/// What the command would have read from the control socket.
class Heard final : public ControlSink {
  public:
    Task<bool> send(std::string line) override;
    std::vector<boost::json::object> items;
    std::string failed;
    bool done = false;
};

/// Keeps what went wrong.
class Diary final : public Log {
  public:
    void write(Level level, std::string_view event, std::initializer_list<Field> fields) override {
        if (level == Level::error) errors.push_back(format_log_line(event, fields));
    }
    std::vector<std::string> errors;
};

struct Letter {
    std::string from = "anna@shop.example";
    std::string to;
    bool bulk = false;
    std::string notify = {};  ///< parameter of RCPT
    std::vector<std::string> more = {};  ///< recipients after `to`
};

/// Fixture: a whole relay in virtual time, on a network with the receivers that a test puts there.
/// What it keeps on disk outlives it: stop() and start() are a restart.
class RelayOnWires : public testing::Test {
  protected:
    RelayOnWires();
    ~RelayOnWires() override;

    void start();
    void stop();
    void run(Duration d) { simulation.run_until(simulation.now() + d); }
    /// Until the task has ended.
    template <class T>
    T wait(Task<T> task) {
        std::optional<T> out;
        auto keep = [](Task<T> what, std::optional<T>& into) -> Task<void> {
            into.emplace(co_await std::move(what));
        };
        talks.spawn(keep(std::move(task), out));
        EXPECT_TRUE(simulation.run_until([&] { return out.has_value(); }, simulation.now() + 1min));
        return std::move(out.value());
    }

    /// A server for the domain; host: its name, if not `mx.` and the domain.
    Receiver& receiver(const std::string& domain, const char* address, std::string host = {});
    /// Hands letters in, one after the other on one connection; the id of the last.
    std::string send(std::vector<Letter> letters);
    std::string send(Letter letter) { return send(std::vector{std::move(letter)}); }
    static std::vector<Letter> many(std::size_t n, const Letter& like) {
        return std::vector<Letter>(n, like);
    }
    /// One command of the operator's, about a name or a target.
    std::shared_ptr<Heard> ask(const std::string& command,
                               const std::string& name,
                               const std::string& target = {});
    /// All recipients of what it took, in order.
    static std::vector<std::string> told(const Receiver& who);
    /// The recipients that still wait, as a restart would find them.
    std::vector<std::string> waiting() const;

    config::Settings wanted;
    Diary log;
    std::unique_ptr<virtual_::Simulation> world =
        std::make_unique<virtual_::Simulation>(from_unix_millis(1'795'507'200'000));
    virtual_::Simulation& simulation{*world};
    SeededRandom random{1};
    virtual_::VirtualNetwork wires{simulation, random};
    virtual_::VirtualZones zones;
    virtual_::Machine& machine{simulation.machine("relay")};
    Network& network{wires.plug(machine, {ip("192.0.2.1")})};
    virtual_::VirtualResolver resolver{machine, random, zones};
    virtual_::VirtualWorkPool pool{machine, random, 1ms};
    Metrics metrics;
    TaskGroup talks{machine.executor(), log, "talks"};
    config::Snapshot settings;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::vector<std::unique_ptr<Receiver>> receivers;
    std::unique_ptr<MemorySpool> spool;
    std::unique_ptr<Relay> relay;
    Time broken_at = never;
    std::vector<std::vector<std::string>> woken;  ///< commands of relay.wake
};

}  // namespace millrace::relay
