// Goal: a receiver that misbehaves in each phase of the conversation (reliability: xN1, U3, U4, U6,
// U7, L2). The expected outcomes stand in tests/fault/receiver/phase_action.md.
#include <fstream>
#include <sstream>

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "common/virtual/network.hpp"
#include "relay/deliver/courier.hpp"
#include "tests/unit/deliver/evil_receiver.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

struct Cell {
    std::string phase, action, expected;
};

std::string trimmed(const std::string& text) {
    auto const first = text.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// The table at the end of the file: the rows behind the one that begins with `| phase |`.
std::vector<Cell> expectations() {
    std::ifstream file(MILLRACE_SOURCE_DIR "/tests/fault/receiver/phase_action.md");
    std::vector<std::string> actions;
    std::vector<Cell> cells;
    std::string line;
    while (std::getline(file, line)) {
        std::vector<std::string> columns;
        std::istringstream row(line);
        std::string column;
        while (std::getline(row, column, '|'))
            columns.push_back(trimmed(column));
        if (columns.size() < 20 || columns[1].starts_with("-")) continue;
        if (columns[1] == "phase") {
            actions.assign(columns.begin() + 2, columns.end());
            continue;
        }
        for (std::size_t i = 2; i < columns.size(); ++i) {
            cells.push_back({columns[1], actions[i - 2], columns[i]});
        }
    }
    return cells;
}

/// A relay's side, the server that misbehaves, the next host, and a third site.
struct World {
    explicit World(const evil::Plan& plan) {
        wires.certificate(evil_at, {{"evil.example"}, true, false});
        wires.certificate(good_at, {{"good.example"}, true, false});
        wires.certificate(other_at, {{"other.example"}, true, false});
        if (plan.phase == "connect") {
            auto way = wires.conditions_of(evil_at.address);
            way.refuse = plan.action == "RST" ? 1 : 0;
            way.ignore = plan.action == "stall" ? 1 : 0;
            wires.conditions(evil_at.address, way);
        }
        auto behaves = evil::Plan{};
        behaves.pipelining = plan.pipelining;
        evil = receiver(evil_at, plan);
        good = receiver(good_at, behaves);
        other = receiver(other_at, behaves);
    }
    ~World() { simulation.shutdown(); }

    std::unique_ptr<evil::Receiver> receiver(Endpoint at, const evil::Plan& plan) {
        auto listener = outside.listen(at);
        EXPECT_TRUE(listener.has_value());
        auto made = std::make_unique<evil::Receiver>(server, serving, std::move(*listener), plan);
        serving.spawn(made->serve());
        return made;
    }

    Endpoint evil_at{asio::ip::make_address("198.51.100.1"), 25};
    Endpoint good_at{asio::ip::make_address("198.51.100.2"), 25};
    Endpoint other_at{asio::ip::make_address("198.51.100.3"), 25};
    SeededRandom random{1};
    NullLog log;
    virtual_::Simulation simulation{from_unix_millis(1'790'000'000'000)};
    virtual_::Machine& machine{simulation.machine("relay")};
    virtual_::Machine& server{simulation.machine("receivers")};
    virtual_::VirtualNetwork wires{simulation, random};
    Network& network{wires.plug(machine, {asio::ip::make_address("192.0.2.1")})};
    Network& outside{wires.plug(server, {evil_at.address, good_at.address, other_at.address})};
    TaskGroup relay{machine.executor(), log, "relay"};
    TaskGroup serving{server.executor(), log, "receivers"};
    std::unique_ptr<evil::Receiver> evil, good, other;
};

Transaction message(const std::string& text) {
    Transaction t;
    t.sender = "sender@example.com";
    for (const auto* address : {"one@example.net", "two@example.net"}) {
        Recipient recipient;
        recipient.address = address;
        t.recipients.push_back(recipient);
    }
    t.body = std::make_shared<const std::string>(text);
    return t;
}

std::string large() {
    std::string text = "Subject: large\r\n\r\n";
    while (text.size() < 600'000)
        text += ".a line that begins with a dot, and is of usual length\r\n";
    return text;
}

char letter_of(const RecipientOutcome& outcome) {
    switch (outcome.kind) {
        case OutcomeKind::delivered:
            return 'D';
        case OutcomeKind::bounced:
            return 'B';
        case OutcomeKind::deferred:
            break;
    }
    if (outcome.possible_duplicate) return 'P';
    return outcome.untried ? 'U' : 'T';
}

struct Result {
    bool done = false;
    std::string letters;
    unsigned delivered = 0;  ///< transactions that we count as delivered by the evil server
    bool unsure = false;
    Duration took{};
    std::string text;  ///< for the failure message
};

struct Job {
    std::string phase;
    std::string text;
    std::vector<Target> targets;
};

Task<void> deliver(World& world, Job job, Result& result) {
    CourierOptions options;
    options.hostname = "us.example";
    Courier courier(world.network, world.machine, world.log, world.relay, options);
    Route route;
    route.site = "evil.example";
    route.tls = config::TlsLevel::may;
    if (job.phase == "AUTH") route.login = Login{.user = "me", .password = "secret"};
    auto const began = world.machine.now();
    auto const opened = co_await courier.open(route, job.targets);
    bool const in_clear = courier.tls_protocol().empty();
    if (!opened.ok) {
        result.letters = "X";
        result.text = opened.line();
    } else {
        auto outcomes = co_await courier.send(message(job.text));
        if (job.phase == "RSET") outcomes = co_await courier.send(message(job.text));
        for (const auto& outcome : outcomes) {
            result.letters += letter_of(outcome);
            result.text += " [" + outcome.line() + "]";
            result.unsure = result.unsure || outcome.possible_duplicate;
        }
        if (result.letters[0] == result.letters[1]) result.letters.resize(1);
        bool const evil = opened.host.starts_with(job.targets.front().host);
        if (evil) result.delivered = courier.delivered();
        if (result.letters == "D" && !evil) result.letters = "N";
        if (result.letters == "D" && in_clear) result.letters = "C";
        co_await courier.quit();
    }
    result.took = world.machine.now() - began;
    result.done = true;
}

class PhaseAction : public ::testing::TestWithParam<bool> {};

TEST_P(PhaseAction, every_cell) {
    auto const cells = expectations();
    ASSERT_EQ(cells.size(), 14U * 19U);
    auto const text = large();
    for (const auto& cell : cells) {
        SCOPED_TRACE(cell.phase + " × " + cell.action);
        World world({.phase = cell.phase,
                     .action = cell.action,
                     .pipelining = GetParam(),
                     .refuses_recipients = cell.phase == "RSET"});
        Result result;
        Result elsewhere;
        Target const evil{"evil.example", world.evil_at};
        Target const good{"good.example", world.good_at};
        Target const other{"other.example", world.other_at};
        world.relay.spawn(deliver(world, {cell.phase, text, {evil, good}}, result));
        world.relay.spawn(deliver(world, {"", "Subject: x\r\n\r\nhello\r\n", {other}}, elsewhere));

        auto const start = world.simulation.now();
        ASSERT_TRUE(world.simulation.run_until([&] { return elsewhere.done; }, start + 10s))
            << "another site waits";
        EXPECT_EQ(elsewhere.letters, "D");
        // The longest sum of time-outs there is: half an hour would be a hang.
        ASSERT_TRUE(world.simulation.run_until([&] { return result.done; }, start + 25min));
        EXPECT_EQ(result.letters, cell.expected) << result.text;
        if (!result.unsure) EXPECT_EQ(result.delivered, world.evil->taken);
        // Nothing stays open behind.
        EXPECT_TRUE(world.simulation.run_until(
            [&] { return world.evil->ended == world.evil->sessions; }, start + 60min));
        // On the loop, as a program would: a cancellation from outside may come after its target.
        asio::post(world.machine.executor(), [&] { world.relay.stop(); });
        world.simulation.run_until([&] { return world.relay.size() == 0; },
                                   world.simulation.now() + 1min);
        EXPECT_EQ(world.relay.size(), 0U);
        for (auto* server : {world.evil.get(), world.good.get(), world.other.get()})
            server->close();
        asio::post(world.server.executor(), [&] { world.serving.stop(); });
        world.simulation.run_until([&] { return world.serving.size() == 0; },
                                   world.simulation.now() + 60min);
    }
    RecordProperty("cells", static_cast<int>(cells.size()));
    std::printf("%zu cells played, %s\n", cells.size(), GetParam() ? "pipelined" : "one by one");
}

INSTANTIATE_TEST_SUITE_P(Both, PhaseAction, ::testing::Bool(), [](const auto& info) {
    return info.param ? "pipelined" : "one_by_one";
});

}  // namespace
}  // namespace millrace::relay
