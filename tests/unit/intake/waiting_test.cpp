// Goal: an MTA in front is kept waiting where others are told to come later, never longer than it
// waits itself, and only a full disk refuses it.
#include <gtest/gtest.h>

#include "tests/unit/intake/house.hpp"

namespace millrace::relay::test {
namespace {

config::Settings small(unsigned connections, unsigned of_client) {
    config::Settings settings = House::defaults();
    settings.relay.limits.connections = connections;
    settings.relay.limits.connections_per_client = of_client;
    return settings;
}

TEST(Waiting, WhoFindsNoSeatIsGreetedWhenOneIsLeft) {
    House house(small(5, 2));
    house.connect();
    house.connect();
    Client& third = house.connect();
    Client& fourth = house.connect();
    house.run(3min);
    EXPECT_EQ(third.news(), "") << "neither a greeting nor a refusal";
    EXPECT_EQ(house.server->waiting(), 2U);
    EXPECT_EQ(house.server->sessions(), 2U);
    house.say(*house.all[0], "QUIT\r\n");
    house.run(1s);
    EXPECT_EQ(third.news(), "220 relay.example ESMTP\r\n") << "first come, first served";
    EXPECT_EQ(fourth.news(), "");
    house.all[1]->stream->close();
    house.run(1s);
    EXPECT_EQ(fourth.news(), "220 relay.example ESMTP\r\n");
    EXPECT_EQ(house.code(fourth, "EHLO client.example"), "250");
    EXPECT_EQ(house.server->waiting(), 0U);
}

TEST(Waiting, NobodyWaitsLongerForASeatThanPostfixDoes) {
    House house(small(1, 1));
    house.greeted();
    Client& second = house.connect();
    house.run(3min + 58s);
    EXPECT_EQ(second.news(), "");
    house.run(4s);
    EXPECT_EQ(second.news().substr(0, 9), "421 4.7.0");
    EXPECT_TRUE(second.over);
    EXPECT_EQ(house.server->waiting(), 0U);
}

TEST(Waiting, TheLineHasAnEnd) {
    House house(small(2, 2));
    for (int i = 0; i < 4; ++i)
        house.connect();
    EXPECT_EQ(house.server->waiting(), 2U);
    EXPECT_EQ(house.connect().news().substr(0, 9), "421 4.7.0");
}

TEST(Waiting, OneClientAtItsLimitKeepsNobodyElseWaiting) {
    House house(small(5, 1));
    house.connect();
    EXPECT_EQ(house.connect().news(), "");
    auto& neighbour = house.wires.plug(house.clients, {boost::asio::ip::make_address("192.0.2.7")});
    std::string heard;
    auto greet = [](House& h, Network& wire, std::string& words) -> Task<void> {
        auto stream = co_await wire.connect(h.at, std::nullopt, h.clients.now() + 10s);
        if (!stream) co_return;
        std::vector<char> buffer(512);
        const auto got = co_await (*stream)->read_some(buffer);
        if (got) words.assign(buffer.data(), *got);
    };
    house.talks.spawn(greet(house, neighbour, heard));
    house.run(1s);
    EXPECT_EQ(heard, "220 relay.example ESMTP\r\n");
}

TEST(Waiting, AStoppingServerTellsThemAtOnce) {
    House house(small(1, 1));
    house.connect();
    Client& waiting = house.connect();
    house.stop(20s);
    house.run(1s);
    EXPECT_EQ(waiting.news().substr(0, 3), "421");
    house.run(5s);  // the one that has a seat might be on its way into a message
    EXPECT_TRUE(house.ended);
}

/// 256 MiB are shared, so four messages of this size have room.
constexpr std::uint64_t quarter = 60ULL << 20;

config::Settings roomy() {
    config::Settings settings = House::defaults();
    settings.relay.limits.message_size = 64ULL << 20;
    return settings;
}

Client& declares(House& house, std::uint64_t size) {
    return house.greeted(
        {"MAIL FROM:<a@b.example> SIZE=" + std::to_string(size), "RCPT TO:<c@d.example>"});
}

TEST(Waiting, RoomIsHeldForAWholeMessageBeforeItBegins) {
    House house(roomy());
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(house.say(declares(house, quarter), "DATA\r\n").substr(0, 3), "354");
    }
    Client& fifth = declares(house, quarter);
    Client& small_one = declares(house, 1000);
    EXPECT_EQ(house.say(fifth, "DATA\r\n"), "");
    EXPECT_EQ(house.say(small_one, "DATA\r\n"), "") << "nobody overtakes";
    EXPECT_EQ(house.server->waiting(), 2U);
    house.run(1min);
    EXPECT_EQ(house.say(*house.all[0], House::message() + ".\r\n").substr(0, 3), "250");
    EXPECT_EQ(fifth.news().substr(0, 3), "354");
    EXPECT_EQ(small_one.news().substr(0, 3), "354");
    EXPECT_EQ(house.say(fifth, House::message() + ".\r\n").substr(0, 3), "250");
    EXPECT_EQ(house.say(small_one, House::message() + ".\r\n").substr(0, 3), "250");
    EXPECT_EQ(house.shelf.taken.size(), 3U);
}

TEST(Waiting, ForRoomNobodyWaitsLongerThanPostfixDoesForTheAnswerToData) {
    House house(roomy());
    for (int i = 0; i < 4; ++i)
        house.say(declares(house, quarter), "DATA\r\n");
    Client& fifth = declares(house, quarter);
    house.say(fifth, "DATA\r\n");
    house.run(98s);
    EXPECT_EQ(fifth.news(), "");
    house.run(3s);
    EXPECT_EQ(fifth.news().substr(0, 3), "354");
    EXPECT_EQ(house.say(fifth, House::message() + ".\r\n").substr(0, 9), "452 4.3.1");
    EXPECT_EQ(house.code(fifth, "NOOP"), "250") << "the session goes on";
}

TEST(Waiting, SomeoneWhoLeavesMakesRoom) {
    House house(roomy());
    for (int i = 0; i < 4; ++i)
        house.say(declares(house, quarter), "DATA\r\n");
    Client& fifth = declares(house, quarter);
    house.say(fifth, "DATA\r\n");
    house.all[2]->stream->close();
    house.run(1s);
    EXPECT_EQ(fifth.news().substr(0, 3), "354");
}

TEST(Waiting, AChunkWaitsForItsRoomToo) {
    House house(roomy());
    for (int i = 0; i < 4; ++i)
        house.say(declares(house, quarter), "DATA\r\n");
    Client& fifth = declares(house, quarter);
    const std::string message = House::message();
    EXPECT_EQ(house.say(fifth, "BDAT " + std::to_string(message.size()) + " LAST\r\n" + message),
              "");
    house.all[0]->stream->close();
    house.run(1s);
    EXPECT_EQ(fifth.news().substr(0, 3), "250");
}

TEST(Waiting, WithoutADeclaredSizeRoomIsTakenAsItComes) {
    House house(roomy());
    for (int i = 0; i < 4; ++i)
        house.say(declares(house, quarter), "DATA\r\n");
    Client& fifth = house.in_data();
    const std::string line(998, 'x');
    std::string lines;
    for (int i = 0; i < 17'000; ++i)
        lines += line + "\r\n";  // 17 MB; 16 MiB are left
    house.say(fifth, House::message() + lines + "\r\n.\r\n");
    house.run(1min);
    EXPECT_EQ(fifth.news(), "");
    EXPECT_EQ(house.server->waiting(), 1U);
    house.all[0]->stream->close();
    house.run(30s);
    EXPECT_EQ(fifth.news().substr(0, 3), "250");
}

TEST(Waiting, ASpoolThatDoesNotKeepUpIsWaitedFor) {
    House house;
    house.shelf.fault = Fault::unavailable;
    Client& client = house.in_data();
    EXPECT_EQ(house.say(client, House::message() + ".\r\n"), "");
    house.run(2min);
    EXPECT_EQ(client.news(), "");
    EXPECT_EQ(house.server->waiting(), 1U);
    house.shelf.fault.reset();
    house.run(2s);
    EXPECT_EQ(client.news().substr(0, 3), "250");
    EXPECT_EQ(house.shelf.taken.size(), 1U) << "stored once";
    EXPECT_EQ(house.server->waiting(), 0U);
}

TEST(Waiting, OnlySoLongAsPostfixWaitsForTheLastAnswer) {
    House house;
    house.shelf.fault = Fault::unavailable;
    Client& client = house.in_data();
    house.say(client, House::message() + ".\r\n");
    house.run(4min + 5s);
    EXPECT_EQ(client.news().substr(0, 9), "451 4.3.0");
    EXPECT_EQ(house.server->waiting(), 0U);
}

TEST(Waiting, AFullDiskRefusesAtOnce) {
    House house;
    house.shelf.fault = Fault::full;
    Client& client = house.in_data();
    EXPECT_EQ(house.say(client, House::message() + ".\r\n").substr(0, 9), "452 4.3.1");
}

TEST(Waiting, OthersAreToldToComeLater) {
    config::Settings settings = small(5, 1);
    settings.relay.listeners[0].profile = config::Profile::submission;
    settings.relay.limits.message_size = 64ULL << 20;
    House house(settings);
    Client& client = house.greeted();
    EXPECT_EQ(house.connect().news().substr(0, 9), "421 4.7.0");
    house.shelf.fault = Fault::unavailable;
    for (const char* line : {"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"})
        house.say(client, std::string(line) + "\r\n");
    EXPECT_EQ(house.say(client, House::message() + ".\r\n").substr(0, 9), "451 4.3.0");
}

}  // namespace
}  // namespace millrace::relay::test
