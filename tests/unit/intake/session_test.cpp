// Goal: what the relay answers it keeps, and nobody gets in who may not (reliability F1, F6, L1,
// L3, L10, O1, R5, R6; Done 6).
#include <gtest/gtest.h>

#include "relay/intake/in_flight.hpp"
#include "tests/unit/intake/house.hpp"

namespace millrace::relay::test {
namespace {

using namespace std::string_view_literals;

TEST(Session, AMessageIsTakenOver) {
    House house;
    Client& client = house.in_data();
    const std::string answer = house.say(client, House::message(".. dots\r\n") + ".\r\n");
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    const NewMail& mail = house.shelf.taken[0];
    EXPECT_EQ(answer, "250 2.0.0 Ok: queued as " + mail.envelope.id.text() + "\r\n");
    EXPECT_EQ(mail.envelope.sender, "a@client.example");
    ASSERT_EQ(mail.works.size(), 1U);
    EXPECT_EQ(mail.works[0].destination, "dest.example");
    EXPECT_EQ(mail.works[0].recipient, "b@dest.example");
    EXPECT_EQ(mail.works[0].key.message, mail.envelope.id);
    EXPECT_EQ(mail.envelope.account, "local");
    EXPECT_TRUE(mail.body->starts_with("Received: from client.example (unknown [192.0.2.1])"));
    EXPECT_TRUE(mail.body->ends_with("\r\n\r\n. dots\r\n"));
    EXPECT_EQ(house.diary.count("intake.accepted"), 1U);
    EXPECT_EQ(house.say(client, "QUIT\r\n"), "221 2.0.0 Bye\r\n");
    EXPECT_TRUE(client.over);
}

TEST(Session, NoAnswerBeforeItIsDurable) {
    House house;
    house.shelf.delay = 30s;
    Client& client = house.in_data();
    EXPECT_EQ(house.say(client, House::message() + ".\r\n"), "");
    house.run(29s);
    EXPECT_EQ(client.news(), "");
    house.run(2s);
    EXPECT_TRUE(client.news().starts_with("250 2.0.0 Ok: queued as "));
}

TEST(Session, WhatTheSpoolCannotTakeIsNotAcknowledged) {
    const std::vector<std::pair<Fault, std::string>> cases = {{Fault::full, "452 4.3.1"},
                                                              {Fault::unavailable, "451 4.3.0"},
                                                              {Fault::broken, "421 4.3.0"}};
    config::Settings settings = House::defaults();
    settings.relay.listeners[0].profile = config::Profile::submission;
    for (const auto& [fault, answer] : cases) {
        House house(settings);
        house.shelf.fault = fault;
        Client& client = house.in_data();
        EXPECT_EQ(house.say(client, House::message() + ".\r\n").substr(0, 9), answer);
        EXPECT_EQ(client.over, fault == Fault::broken);
    }
}

TEST(Session, AFullSpoolIsToldAtMail) {
    House house;
    house.shelf.state.accepting = false;
    Client& client = house.greeted();
    EXPECT_EQ(house.say(client, "MAIL FROM:<a@b.example>\r\n").substr(0, 9), "452 4.3.1");
    house.shelf.state.accepting = true;
    house.shelf.state.free_bytes = 1000;
    EXPECT_EQ(house.code(client, "MAIL FROM:<a@b.example> SIZE=1001"), "452");
    EXPECT_EQ(house.code(client, "MAIL FROM:<a@b.example> SIZE=1000"), "250");
}

TEST(Session, SeventeenFalseEndsOfDataAtEverySplit) {
    const std::vector<std::string_view> ends = {
        "\n.\n"sv,
        "\r.\r"sv,
        "\r.\n"sv,
        "\n.\r"sv,
        "\r.\r\n"sv,
        "\r\n.\r"sv,
        "\n.\r\n"sv,
        "\r\n.\n"sv,
        "\n\n.\r\n"sv,
        "\r\n\0.\r\n"sv,
        "\r\n.\0\r\n"sv,
        "\r\n.\r\r\n"sv,
        "\r\r\n.\r\r\n"sv,
        "\r\n.\v\r\n"sv,
        "\r\n. \r\n"sv,
        "\r\n.\t\r\n"sv,
        "\r\n\x85.\r\n"sv,
    };
    House house;
    unsigned runs = 0, accepted_as_end = 0, refused = 0;
    for (const std::string_view end : ends) {
        const std::string bytes = "body" + std::string(end) + "MAIL FROM:<evil@b.example>\r\n";
        for (std::size_t at = 1; at < 4 + end.size() + 2; ++at) {
            Client& client = house.in_data();
            house.say(client, House::message("") + bytes.substr(0, at));
            const std::string early = house.say(client, bytes.substr(at));
            accepted_as_end += early.empty() ? 0 : 1;
            const std::string answer = house.say(client, ".\r\n");
            EXPECT_TRUE(answer.starts_with("550 5.6.0 ") || answer.starts_with("250 2.0.0 "))
                << answer;
            refused += answer.starts_with("550") ? 1 : 0;
            EXPECT_EQ(house.code(client, "RSET"), "250");
            EXPECT_EQ(house.code(client, "QUIT"), "221");
            ++runs;
        }
    }
    EXPECT_EQ(accepted_as_end, 0U);
    EXPECT_EQ(house.shelf.taken.size() + refused, runs);
    for (const NewMail& mail : house.shelf.taken)
        EXPECT_NE(mail.body->find("MAIL FROM:<evil"), std::string::npos) << "it stayed data";
    EXPECT_GT(refused, runs / 2);
    EXPECT_GT(house.shelf.taken.size(), 0U);
}

TEST(Session, OneByteAtATime) {
    House house;
    Client& client = house.connect();
    const std::string bytes = "EHLO c\r\nMAIL FROM:<a@b.example>\r\n";
    for (const char c : bytes)
        house.talks.spawn([](Client& to, char byte) -> Task<void> {
            const std::string one(1, byte);
            co_await to.stream->write(one);
        }(client, c));
    house.run(1s);
    EXPECT_TRUE(client.news().ends_with("250 2.1.0 Ok\r\n"));
}

TEST(Pipelining, EveryLegalGroupGetsItsRepliesInOrder) {
    House house;
    const std::vector<std::pair<std::string, std::string>> commands = {
        {"MAIL FROM:<a@b.example>", "mail"},
        {"RCPT TO:<c@d.example>", "rcpt"},
        {"RSET", "rset"},
        {"RCPT TO:<bad>", "bad"},
        {"MAIL FROM:<a@b.example> X=1", "555"},
        {"NOOP", "noop"},
        {"BDAT 5\r\nhello", "bdat"}};
    std::uint64_t replies = 0;
    for (int group = 0; group < 2000; ++group) {
        Client& client = house.greeted();
        bool mail = false, chunk = false;
        unsigned recipients = 0, errors = 0;
        std::string bytes;
        std::vector<std::string> expected;
        for (std::uint64_t i = house.random.below(14) + 1; i > 0 && errors < 19; --i) {
            const auto& [line, what] = commands[house.random.below(commands.size())];
            bytes += line + (what == "bdat" ? "" : "\r\n");
            std::string code = "250";
            if (what == "mail") {
                code = mail ? "503" : "250";
                mail = true;
            } else if (what == "rcpt") {
                code = mail && !chunk ? "250" : "503";
                if (code == "250") ++recipients;
            } else if (what == "bad") {
                code = mail && !chunk ? "553" : "503";
            } else if (what == "555") {
                code = mail ? "503" : "555";
            } else if (what == "bdat") {
                code = !mail ? "503" : recipients == 0 ? "554" : "250";
                if (code == "250") chunk = true;
            } else if (what == "rset") {
                mail = chunk = false;
                recipients = 0;
            }
            if (code[0] != '2') ++errors;
            expected.push_back(code);
        }
        const std::size_t cut = house.random.below(bytes.size() + 1);
        std::string answer = house.say(client, bytes.substr(0, cut));
        answer += house.say(client, bytes.substr(cut));
        std::vector<std::string> codes;
        for (std::size_t at = 0; at < answer.size(); at = answer.find("\r\n", at) + 2)
            codes.push_back(answer.substr(at, 3));
        ASSERT_EQ(codes, expected) << bytes << "\n" << answer;
        replies += codes.size();
        client.stream->close();
        house.run(5ms);
        house.all.clear();
    }
    EXPECT_GT(replies, 10'000U);
}

TEST(Pipelining, AGroupIsAnsweredInOneWrite) {
    House house;
    Client& client = house.greeted();
    const std::string answer =
        house.say(client, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    EXPECT_EQ(answer,
              "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
              "354 End the message with a dot on a line of its own\r\n");
    EXPECT_EQ(house.say(client, House::message() + ".\r\nQUIT\r\n").substr(0, 3), "250");
    EXPECT_TRUE(client.over) << "QUIT behind the dot was carried out";
}

TEST(Pipelining, WhatFollowsDataBeforeItsAnswerEndsTheSession) {
    House house;
    Client& client = house.greeted({"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"});
    EXPECT_EQ(house.say(client, "DATA\r\nSubject: x\r\n").substr(0, 9), "554 5.5.0");
    EXPECT_EQ(house.say(client, "\r\nNOOP\r\n.\r\n"), "") << "read, and not looked at";
    house.run(3s);
    EXPECT_TRUE(client.over);
}

config::Settings with_tls() {
    config::Settings settings = House::defaults();
    settings.relay.listeners[0].certificate = "relay.pem";
    settings.relay.listeners[0].key = "relay.key";
    return settings;
}

Task<void> secure(Client& client, bool& done) {
    // As a client does: nothing is read between the 220 and the handshake.
    const std::string line = "STARTTLS\r\n";
    co_await client.stream->write(line);
    std::vector<char> buffer(4096);
    const auto got = co_await client.stream->read_some(buffer);
    if (!got || !std::string_view(buffer.data(), *got).starts_with("220 ")) co_return;
    TlsClient options;
    options.server_name = "relay.example";
    const auto secured = co_await client.stream->start_tls_client(options);
    if (!secured) co_return;
    const std::string next = "MAIL FROM:<a@b.example>\r\nEHLO again.example\r\n";
    co_await client.stream->write(next);
    while (true) {
        const auto more = co_await client.stream->read_some(buffer);
        if (!more) break;
        client.heard.append(buffer.data(), *more);
        done = true;
    }
    client.over = true;
}

Task<void> connect_plain(House& house, Client& client) {
    auto stream =
        co_await house.client_wire.connect(house.at, std::nullopt, house.clients.now() + 10s);
    if (!stream) co_return;
    client.stream = std::move(*stream);
    std::vector<char> buffer(4096);
    co_await client.stream->read_some(buffer);  // the greeting
    const std::string hello = "EHLO c\r\n";
    co_await client.stream->write(hello);
    co_await client.stream->read_some(buffer);
    const std::string mail = "MAIL FROM:<before@b.example>\r\n";
    co_await client.stream->write(mail);
    co_await client.stream->read_some(buffer);
}

TEST(Tls, EverythingBeforeTheHandshakeIsForgotten) {
    House house(with_tls());
    house.wires.certificate(house.at, {{"relay.example"}, true, false});
    house.all.push_back(std::make_unique<Client>());
    Client& client = *house.all.back();
    bool done = false;
    house.talks.spawn(connect_plain(house, client));
    house.run(1s);
    house.talks.spawn(secure(client, done));
    house.run(1s);
    EXPECT_TRUE(done);
    EXPECT_TRUE(client.heard.starts_with("503 5.5.1 ")) << client.heard;
    EXPECT_NE(client.heard.find("250-relay.example\r\n"), std::string::npos);
    EXPECT_EQ(client.heard.find("STARTTLS"), std::string::npos);
}

TEST(Tls, InjectedCommandsAreNeverAnswered) {
    for (const std::string_view injected : {"NOOP\r\n"sv,
                                            "EHLO evil\r\n"sv,
                                            "AUTH PLAIN x\r\n"sv,
                                            "MAIL FROM:<e@v.example>\r\n"sv,
                                            "N"sv,
                                            "\x16\x03\x01"sv}) {
        House house(with_tls());
        house.wires.certificate(house.at, {{"relay.example"}, true, false});
        Client& client = house.greeted();
        const std::string answer = house.say(client, "STARTTLS\r\n" + std::string(injected));
        EXPECT_EQ(answer.substr(0, 9), "554 5.5.0");
        EXPECT_EQ(answer.find("\r\n"), answer.size() - 2) << "one reply and no more";
        EXPECT_EQ(house.say(client, "NOOP\r\n"), "");
        house.run(3s);
        EXPECT_TRUE(client.over);
    }
}

TEST(Connection, CutInTheMiddleNothingIsAccepted) {
    for (const std::string_view last : {"", ".", ".\r", "\r\n", "x"}) {
        House house;
        Client& client = house.in_data();
        house.say(client, House::message() + std::string(last));
        client.stream->close();
        house.run(1min);
        EXPECT_TRUE(house.shelf.taken.empty());
        EXPECT_EQ(house.server->sessions(), 0U);
    }
}

TEST(OpenRelay, StrangersMayNotRelay) {
    config::Settings settings = House::defaults();
    settings.relay.listeners[0].trusted = {*Network4or6::parse("127.0.0.0/8")};
    House house(settings);
    const std::vector<std::string> forms = {"user@foreign.example",
                                            "user%foreign.example@relay.example",
                                            "foreign.example!user@relay.example",
                                            "\"user@foreign.example\"@relay.example",
                                            "@relay.example:user@foreign.example",
                                            "user@[127.0.0.1]",
                                            "user@[198.51.100.1]",
                                            "\"user\"@foreign.example",
                                            "postmaster",
                                            "postmaster@relay.example",
                                            "user@relay.example",
                                            "user@RELAY.EXAMPLE",
                                            "user@localhost"};
    for (const std::string& sender :
         {"", "a@relay.example", "postmaster@relay.example", "x@y.example"}) {
        for (const std::string& form : forms) {
            Client& client = house.greeted({"MAIL FROM:<" + sender + ">"});
            const std::string answer = house.say(client, "RCPT TO:<" + form + ">\r\n");
            EXPECT_EQ(answer.substr(0, 9), "550 5.7.1") << form;
            EXPECT_EQ(house.code(client, "DATA"), "554");
            EXPECT_EQ(house.code(client, "XFORWARD ADDR=127.0.0.1 SOURCE=LOCAL"), "550");
            client.stream->close();
        }
    }
    EXPECT_TRUE(house.shelf.taken.empty());
}

TEST(Time, AnIdleClientIsClosedAfterFiveMinutes) {
    House house;
    Client& client = house.greeted();
    house.run(4min + 50s);
    EXPECT_FALSE(client.over);
    house.run(20s);
    EXPECT_TRUE(client.over);
}

TEST(Time, BytesOfACommandOneByOneWinNothing) {
    House house;
    Client& client = house.greeted();
    for (int i = 0; i < 40 && !client.over; ++i) {
        house.say(client, "x");
        house.run(10s);
    }
    EXPECT_TRUE(client.over);
}

TEST(Time, AMessageTooSlowIsClosed) {
    House house;
    Client& client = house.in_data();
    Duration lasted{};
    while (!client.over && lasted < 1h) {
        house.say(client, "x");
        house.run(10s);
        lasted += 10s;
    }
    EXPECT_TRUE(client.over);
    EXPECT_LT(lasted, 7min);
    EXPECT_TRUE(house.shelf.taken.empty());
}

TEST(Size, TooLargeIsReadToItsEndAndRefused) {
    House house;
    Client& client = house.in_data();
    const std::string line = std::string(996, 'x') + "\r\n";
    for (int i = 0; i < 150; ++i)
        EXPECT_EQ(house.say(client, line), "");
    EXPECT_EQ(house.say(client, ".\r\n").substr(0, 9), "552 5.3.4");
    EXPECT_EQ(house.code(client, "MAIL FROM:<a@b.example>"), "250");
    EXPECT_EQ(house.code(client, "RCPT TO:<c@d.example>"), "250");
    EXPECT_EQ(house.code(client, "DATA"), "354");
    int sent = 0;
    while (sent < 210 && house.say(client, line).empty())
        ++sent;
    EXPECT_LT(sent, 210);
    house.run(3s);
    EXPECT_TRUE(client.over) << "twice the limit is no mistake any more";
}

TEST(Limits, TooManyConnections) {
    config::Settings settings = House::defaults();
    settings.relay.limits.connections = 5;
    settings.relay.limits.connections_per_client = 3;
    settings.relay.listeners[0].profile = config::Profile::submission;
    House house(settings);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(house.connect().news().substr(0, 3), "220");
    Client& fourth = house.connect();
    EXPECT_EQ(fourth.news().substr(0, 9), "421 4.7.0");
    EXPECT_TRUE(fourth.over);
    house.all[0]->stream->close();
    house.run(1s);
    EXPECT_EQ(house.connect().news().substr(0, 3), "220");
}

TEST(InFlight, BoundsWhatIsHeld) {
    InFlight all(100);
    {
        InFlight::Share a(all), b(all);
        EXPECT_TRUE(a.hold(60));
        EXPECT_FALSE(b.hold(41));
        EXPECT_TRUE(b.hold(40));
        EXPECT_EQ(all.room(), 0U);
        EXPECT_TRUE(a.hold(10));
        EXPECT_EQ(all.room(), 50U);
    }
    EXPECT_EQ(all.held(), 0U);
}

}  // namespace
}  // namespace millrace::relay::test
