// Goal: what is said to a receiving server is what it offered to hear: sizes, 8-bit, UTF-8, DSN,
// limits, TLS levels, passwords (RFC 1870, 6152, 6531, 3461, 9422, 3207, 4954).
#include "relay/deliver/courier.hpp"

#include <map>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "common/virtual/network.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// Says what the test gives it, and notes what it hears.
struct Script {
    std::string offers;                          ///< lines of EHLO's answer, `\n` between them
    std::string offers_in_tls;                   ///< the same in TLS; empty: as before
    std::map<std::string, std::string> answers;  ///< by the beginning of the command
    std::string greeting = "220 mx.example ESMTP";
    std::string after_dot = "250 2.0.0 taken";
    bool closes_when_idle = false;  ///< after the first message
    std::string breaks_at;          ///< goes without reading on, behind the answer to this command
};

Script offering(std::string offers, std::string in_tls = {}) {
    Script script;
    script.offers = std::move(offers);
    script.offers_in_tls = std::move(in_tls);
    return script;
}

class CourierTest : public ::testing::Test {
  protected:
    ~CourierTest() override {
        courier.reset();
        if (listener) listener->close();
        asio::post(machine.executor(), [this] { relay.stop(); });
        asio::post(server.executor(), [this] { serving.stop(); });
        simulation.run_until([this] { return relay.size() + serving.size() == 0; },
                             simulation.now() + 1h);
        simulation.shutdown();
    }

    Task<void> serve(Script script) {
        listener = std::move(*outside.listen(at));
        while (true) {
            auto stream = co_await listener->accept();
            if (!stream) co_return;
            ++connections;
            from_address = (*stream)->peer().address.to_string();
            serving.spawn(converse(std::move(*stream), script));
        }
    }

    Task<void> converse(std::shared_ptr<Stream> stream, Script script) {
        co_await say(*stream, script.greeting + "\r\n");
        std::string buffered;
        bool in_data = false;
        std::string message;
        std::array<char, 4096> buffer;
        while (true) {
            auto const end = buffered.find("\r\n");
            if (end == std::string::npos) {
                auto const got = co_await stream->read_some(buffer);
                if (!got) co_return;
                buffered.append(buffer.data(), *got);
                continue;
            }
            auto const line = buffered.substr(0, end);
            buffered.erase(0, end + 2);
            if (in_data) {
                if (line != ".") {
                    message += line + "\r\n";
                    continue;
                }
                in_data = false;
                messages.push_back(message);
                message.clear();
                co_await say(*stream, script.after_dot + "\r\n");
                if (script.closes_when_idle) {
                    stream->close();
                    co_return;
                }
                continue;
            }
            heard.push_back(line);
            std::string reply = "250 2.0.0 ok";
            if (line.starts_with("EHLO")) {
                auto offers = script.offers;
                if (stream->tls() && !script.offers_in_tls.empty()) offers = script.offers_in_tls;
                reply.clear();
                std::string rest = offers.empty() ? "mx.example" : "mx.example\n" + offers;
                while (!rest.empty()) {
                    auto const cut = rest.find('\n');
                    auto const last = cut == std::string::npos;
                    if (!reply.empty()) reply += "\r\n";
                    reply += (last ? "250 " : "250-") + rest.substr(0, cut);
                    rest = last ? "" : rest.substr(cut + 1);
                }
            }
            if (line == "DATA") reply = "354 go on";
            if (line == "STARTTLS") reply = "220 go";
            for (auto const& [command, answer] : script.answers) {
                if (line.starts_with(command)) reply = answer;
            }
            in_data = line == "DATA" && reply.starts_with("354");
            co_await say(*stream, reply + "\r\n");
            if (!script.breaks_at.empty() && line.starts_with(script.breaks_at)) {
                stream->close();
                co_return;
            }
            if (line == "STARTTLS" && reply.starts_with("220")) {
                if (!co_await stream->start_tls_server()) co_return;
            }
            if (line == "QUIT") {
                stream->close();
                co_return;
            }
        }
    }
    static Task<void> say(Stream& stream, std::string bytes) {
        auto const said = co_await stream.write(bytes);
        (void)said;
    }

    Opened open(Script script, config::TlsLevel tls = config::TlsLevel::may, bool login = false) {
        serving.spawn(serve(std::move(script)));
        return connect(tls, login);
    }
    Opened connect(config::TlsLevel tls = config::TlsLevel::may, bool login = false) {
        CourierOptions options;
        options.hostname = "us.example";
        options.sources = sources;
        options.may_send = [this] {
            return may_send;
        };
        options.transcript = std::make_shared<Transcript>(hub, dialogues, machine, "mx.example", 1);
        courier = std::make_unique<Courier>(network, machine, log, relay, options);
        Route route;
        route.tls = tls;
        if (login) route.login = Login{"me", "secret"};
        std::optional<Opened> opened;
        std::vector<Target> const targets{{"mx.example", at}};
        asio::co_spawn(machine.executor(),
                       courier->open(route, targets),
                       [&](std::exception_ptr thrown, Opened result) {
                           EXPECT_FALSE(thrown);
                           opened = result;
                       });
        EXPECT_TRUE(
            simulation.run_until([&] { return opened.has_value(); }, simulation.now() + 30min));
        what_happened = opened->line();
        return *opened;
    }
    std::vector<RecipientOutcome> send(Transaction t) {
        std::optional<std::vector<RecipientOutcome>> outcomes;
        asio::co_spawn(machine.executor(),
                       courier->send(std::move(t)),
                       [&](std::exception_ptr, std::vector<RecipientOutcome> result) {
                           outcomes = std::move(result);
                       });
        EXPECT_TRUE(
            simulation.run_until([&] { return outcomes.has_value(); }, simulation.now() + 30min));
        return *outcomes;
    }
    static Transaction message(std::string text = "Subject: x\r\n\r\nhello\r\n") {
        Transaction t;
        t.sender = "sender@example.com";
        t.recipients.resize(1);
        t.recipients[0].address = "one@example.net";
        t.body = std::make_shared<const std::string>(std::move(text));
        return t;
    }
    bool was_said(const std::string& line) const {
        return std::ranges::find(heard, line) != heard.end();
    }
    unsigned count(std::string_view verb) const {
        return static_cast<unsigned>(std::ranges::count_if(
            heard, [&](const std::string& line) { return line.starts_with(verb); }));
    }

    Endpoint at{asio::ip::make_address("198.51.100.1"), 25};
    SeededRandom random{1};
    NullLog log;
    virtual_::Simulation simulation{from_unix_millis(1'790'000'000'000)};
    virtual_::Machine& machine{simulation.machine("relay")};
    virtual_::Machine& server{simulation.machine("receiver")};
    virtual_::VirtualNetwork wires{simulation, random};
    Network& network{wires.plug(
        machine, {asio::ip::make_address("192.0.2.1"), asio::ip::make_address("192.0.2.2")})};
    Network& outside{wires.plug(server, {at.address})};
    TaskGroup relay{machine.executor(), log, "relay"};
    TaskGroup serving{server.executor(), log, "receiver"};
    TraceHub hub;
    LastDialogues dialogues;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Courier> courier;
    std::vector<std::string> heard, messages;
    unsigned connections = 0;
    std::string what_happened;
    bool may_send = true;
    Sources sources;
    std::string from_address;  ///< of the last connection
};

TEST_F(CourierTest, says_nothing_that_was_not_offered) {
    ASSERT_TRUE(open({}).ok) << what_happened;
    auto t = message();
    t.ret = "FULL";
    t.envid = "x";
    t.recipients[0].orcpt = "rfc822;a";
    t.recipients[0].notify.given = true;
    EXPECT_EQ(send(t)[0].kind, OutcomeKind::delivered);
    EXPECT_FALSE(send(t)[0].dsn_passed_on);
    EXPECT_TRUE(was_said("MAIL FROM:<sender@example.com>"));
    EXPECT_TRUE(was_said("RCPT TO:<one@example.net>"));
    EXPECT_EQ(connections, 1U);
}

TEST_F(CourierTest, passes_dsn_size_and_8bit_on_unchanged) {
    ASSERT_TRUE(open(offering("SIZE\n8BITMIME\nDSN\nPIPELINING")).ok) << what_happened;
    auto t = message("Subject: x\r\n\r\n\xC3\xA4\r\n");
    t.body_type = BodyType::eight_bit;
    t.ret = "HDRS";
    t.envid = "QQ+2B314";
    t.recipients[0].orcpt = "rfc822;a+2Bb@example.net";
    t.recipients[0].notify = {
        .never = false, .success = true, .failure = true, .delay = false, .given = true};
    auto const outcomes = send(t);
    EXPECT_EQ(outcomes[0].kind, OutcomeKind::delivered);
    EXPECT_TRUE(outcomes[0].dsn_passed_on);
    EXPECT_EQ(outcomes[0].host, "mx.example [198.51.100.1]");
    EXPECT_TRUE(
        was_said("MAIL FROM:<sender@example.com> SIZE=18 BODY=8BITMIME RET=HDRS ENVID=QQ+2B314"))
        << heard[1];
    EXPECT_TRUE(was_said(
        "RCPT TO:<one@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@example.net"));
    EXPECT_EQ(messages.front(), "Subject: x\r\n\r\n\xC3\xA4\r\n");
}

TEST_F(CourierTest, what_is_too_large_is_not_sent) {
    ASSERT_TRUE(open(offering("SIZE 10")).ok) << what_happened;
    auto const outcomes = send(message());
    EXPECT_EQ(outcomes[0].kind, OutcomeKind::bounced);
    EXPECT_EQ(outcomes[0].enhanced, "5.3.4");
    EXPECT_EQ(count("MAIL"), 0U);
    EXPECT_TRUE(courier->reusable());
}

TEST_F(CourierTest, converts_to_7_bit_or_bounces) {
    ASSERT_TRUE(open({}).ok) << what_happened;
    auto t = message("Subject: x\r\n\r\n\xC3\xA4 and plain text\r\n");
    t.body_type = BodyType::eight_bit;
    EXPECT_EQ(send(t)[0].kind, OutcomeKind::delivered);
    EXPECT_NE(messages.front().find("=C3=A4 and plain text"), std::string::npos);
    t.body = std::make_shared<const std::string>("Subject: \xC3\xA4\r\n\r\nx\r\n");
    EXPECT_EQ(send(t)[0].line().substr(0, 5), "5.6.3");
    t.smtputf8 = true;
    EXPECT_EQ(send(t)[0].line().substr(0, 5), "5.6.7");
    EXPECT_EQ(messages.size(), 1U);
}

TEST_F(CourierTest, keeps_to_the_receivers_limits) {
    ASSERT_TRUE(open(offering("LIMITS RCPTMAX=3 MAILMAX=2")).ok) << what_happened;
    EXPECT_EQ(courier->recipients_max(), 3U);
    send(message());
    EXPECT_TRUE(courier->reusable());
    send(message());
    EXPECT_FALSE(courier->reusable());
}

TEST_F(CourierTest, a_limit_of_nothing_is_no_limit) {
    ASSERT_TRUE(open(offering("LIMITS RCPTMAX=0 MAILMAX=x")).ok) << what_happened;
    EXPECT_EQ(courier->recipients_max(), 100U);
    send(message());
    EXPECT_TRUE(courier->reusable());
}

TEST_F(CourierTest, too_many_recipients_are_not_bounced) {
    Script script;
    script.answers["RCPT"] = "552 Too many recipients";
    ASSERT_TRUE(open(script).ok) << what_happened;
    EXPECT_EQ(send(message())[0].kind, OutcomeKind::deferred);
}

TEST_F(CourierTest, a_limit_per_connection_means_this_connection_only_after_a_message) {
    Script script;
    script.answers["MAIL"] = "421 Max message per connection reached";
    ASSERT_TRUE(open(script).ok) << what_happened;
    EXPECT_EQ(send(message())[0].blame(), Blame::rate);
}

TEST_F(CourierTest, helo_only_where_ehlo_is_not_known) {
    Script script;
    script.answers["EHLO"] = "502 5.5.1 what";
    ASSERT_TRUE(open(script).ok) << what_happened;
    EXPECT_TRUE(was_said("HELO us.example"));
    EXPECT_EQ(send(message())[0].kind, OutcomeKind::delivered);
}

TEST_F(CourierTest, a_refusal_of_ehlo_is_a_refusal) {
    Script script;
    script.answers["EHLO"] = "550 5.7.1 you are listed";
    auto const opened = open(script);
    EXPECT_FALSE(opened.ok);
    EXPECT_EQ(opened.kind, OutcomeKind::deferred);
    EXPECT_EQ(opened.enhanced, "4.7.1");
    EXPECT_EQ(count("HELO"), 0U);
}

TEST_F(CourierTest, a_server_that_says_521_takes_no_mail) {
    Script closed;
    closed.greeting = "521 no mail here";
    auto const opened = open(closed);
    EXPECT_FALSE(opened.ok);
    EXPECT_EQ(opened.kind, OutcomeKind::bounced);
}

TEST_F(CourierTest, what_was_offered_before_tls_is_forgotten) {
    wires.certificate(at, {{"mx.example"}, true, false});
    ASSERT_TRUE(open(offering("STARTTLS\nDSN\nSIZE 5", "PIPELINING"), config::TlsLevel::verify).ok)
        << what_happened;
    EXPECT_EQ(courier->tls_protocol(), "TLSv1.3");
    EXPECT_EQ(send(message())[0].kind, OutcomeKind::delivered);
    EXPECT_EQ(count("EHLO"), 2U);
}

struct TlsCase {
    const char* name;
    config::TlsLevel level;
    bool offered;
    virtual_::Certificate certificate;
    const char* expected;  ///< `tls`, `clear` or the enhanced code
};

using config::TlsLevel;
const virtual_::Certificate right{{"mx.example"}, true, false};
const virtual_::Certificate untrusted{{"mx.example"}, false, false};
const virtual_::Certificate another{{"else.example"}, true, false};
const virtual_::Certificate broken{{"mx.example"}, true, true};

const TlsCase tls_cases[] = {
    {"none_right", TlsLevel::none, true, right, "clear"},
    {"may_right", TlsLevel::may, true, right, "tls"},
    {"may_untrusted", TlsLevel::may, true, untrusted, "tls"},
    {"may_another", TlsLevel::may, true, another, "tls"},
    {"may_broken", TlsLevel::may, true, broken, "clear"},
    {"may_missing", TlsLevel::may, false, right, "clear"},
    {"encrypt_right", TlsLevel::encrypt, true, right, "tls"},
    {"encrypt_untrusted", TlsLevel::encrypt, true, untrusted, "tls"},
    {"encrypt_another", TlsLevel::encrypt, true, another, "tls"},
    {"encrypt_broken", TlsLevel::encrypt, true, broken, "4.7.5"},
    {"encrypt_missing", TlsLevel::encrypt, false, right, "4.7.4"},
    {"verify_right", TlsLevel::verify, true, right, "tls"},
    {"verify_untrusted", TlsLevel::verify, true, untrusted, "4.7.5"},
    {"verify_another", TlsLevel::verify, true, another, "4.7.5"},
    {"verify_broken", TlsLevel::verify, true, broken, "4.7.5"},
    {"verify_missing", TlsLevel::verify, false, right, "4.7.4"},
};

class CourierTls : public CourierTest, public ::testing::WithParamInterface<TlsCase> {};

TEST_P(CourierTls, level_by_fault) {
    auto const& c = GetParam();
    wires.certificate(at, c.certificate);
    auto const opened = open(offering(c.offered ? "STARTTLS" : "DSN"), c.level);
    std::string got = opened.enhanced;
    if (opened.ok) got = courier->tls_protocol().empty() ? "clear" : "tls";
    EXPECT_EQ(got, c.expected) << opened.line();
    if (opened.ok) EXPECT_EQ(send(message())[0].kind, OutcomeKind::delivered);
    if (!opened.ok) EXPECT_EQ(opened.blame(), Blame::tls);
}
INSTANTIATE_TEST_SUITE_P(Table, CourierTls, ::testing::ValuesIn(tls_cases), [](const auto& info) {
    return std::string(info.param.name);
});

TEST_F(CourierTest, a_password_is_said_in_tls_only) {
    auto const opened = open(offering("AUTH PLAIN"), TlsLevel::may, true);
    EXPECT_FALSE(opened.ok);
    EXPECT_EQ(count("AUTH"), 0U);
}

TEST_F(CourierTest, plain_and_login) {
    wires.certificate(at, right);
    auto script = offering("STARTTLS", "AUTH PLAIN LOGIN");
    script.answers["AUTH PLAIN"] = "235 in";
    ASSERT_TRUE(open(script, TlsLevel::may, true).ok) << what_happened;
    EXPECT_TRUE(was_said("AUTH PLAIN AG1lAHNlY3JldA=="));
}

TEST_F(CourierTest, login_in_two_steps) {
    wires.certificate(at, right);
    auto script = offering("STARTTLS", "AUTH LOGIN");
    script.answers["AUTH LOGIN"] = "334 VXNlcm5hbWU6";
    script.answers["bWU="] = "334 UGFzc3dvcmQ6";
    script.answers["c2VjcmV0"] = "235 in";
    ASSERT_TRUE(open(script, TlsLevel::may, true).ok) << what_happened;
}

TEST_F(CourierTest, a_wrong_password_defers) {
    wires.certificate(at, right);
    auto script = offering("STARTTLS", "AUTH PLAIN");
    script.answers["AUTH"] = "535 5.7.8 no";
    auto const opened = open(script, TlsLevel::may, true);
    EXPECT_EQ(opened.kind, OutcomeKind::deferred);
    EXPECT_EQ(opened.enhanced, "4.7.8");
    EXPECT_EQ(opened.phase, Phase::auth);
}

TEST_F(CourierTest, the_transcript_has_all_but_password_and_message) {
    wires.certificate(at, right);
    auto script = offering("STARTTLS", "AUTH LOGIN");
    script.answers["AUTH LOGIN"] = "334 VXNlcm5hbWU6";
    script.answers["bWU="] = "334 UGFzc3dvcmQ6";
    script.answers["c2VjcmV0"] = "235 2.7.0 me, secret: c2VjcmV0";  // a babbling server
    auto const watch = *hub.listen([](const TraceLine&) { return true; });
    ASSERT_TRUE(open(script, TlsLevel::may, true).ok) << what_happened;
    EXPECT_EQ(send(message())[0].kind, OutcomeKind::delivered);
    std::string shown;
    for (auto const& line : watch->take().lines)
        shown += line.text + "\n";
    for (auto const* const wanted : {"connecting to mx.example [198.51.100.1]\n",
                                     "connected from 192.0.2.1\n",
                                     "STARTTLS\n",
                                     "secured by TLS",
                                     "AUTH LOGIN\n",
                                     "235 2.7.0 me, ***: ***\n",
                                     "RCPT TO:<one@example.net>\n",
                                     "354 go on\n",
                                     "(the message: 24 bytes)\n250 2.0.0 taken\n"}) {
        EXPECT_NE(shown.find(wanted), std::string::npos) << wanted << "is not in\n" << shown;
    }
    for (auto const* const unwanted : {"secret", "c2Vj", "bWU=", "hello\n", "Subject"}) {
        EXPECT_EQ(shown.find(unwanted), std::string::npos) << unwanted << " is in\n" << shown;
    }
    EXPECT_EQ(dialogues.of("mx.example")->reply, "250 2.0.0 taken");
}

TEST_F(CourierTest, a_connection_that_died_while_idle_costs_no_attempt) {
    Script script;
    script.closes_when_idle = true;
    ASSERT_TRUE(open(script).ok) << what_happened;
    EXPECT_EQ(send(message())[0].kind, OutcomeKind::delivered);
    simulation.run_until(simulation.now() + 1s);
    EXPECT_FALSE(courier->reusable());
    auto const outcomes = send(message());
    EXPECT_EQ(outcomes[0].kind, OutcomeKind::deferred);
    EXPECT_TRUE(outcomes[0].untried);
    EXPECT_FALSE(outcomes[0].possible_duplicate);
}

TEST_F(CourierTest, sends_nothing_when_it_may_not) {
    may_send = false;
    auto const opened = open({});
    EXPECT_FALSE(opened.ok);
    EXPECT_TRUE(opened.refused);
    EXPECT_EQ(connections, 0U);
    may_send = true;
    ASSERT_TRUE(connect().ok);
    may_send = false;
    EXPECT_TRUE(send(message())[0].untried);
    EXPECT_EQ(messages.size(), 0U);
}

config::Relay from(const char* address, const char* hostname) {
    config::Source source;
    source.address = address;
    source.hostname = hostname;
    config::Relay relay;
    relay.sources = {source};
    return relay;
}

TEST_F(CourierTest, sends_from_the_source_under_its_name) {
    sources = Sources::from(from("192.0.2.2", "out2.example"));
    ASSERT_TRUE(open({}).ok) << what_happened;
    EXPECT_TRUE(was_said("EHLO out2.example"));
    EXPECT_EQ(courier->source_ip(), "192.0.2.2");
    EXPECT_EQ(from_address, "192.0.2.2");
}

TEST_F(CourierTest, without_a_source_the_system_chooses_and_it_is_told) {
    ASSERT_TRUE(open({}).ok) << what_happened;
    EXPECT_TRUE(was_said("EHLO us.example"));
    EXPECT_EQ(courier->source_ip(), "192.0.2.1");
}

TEST_F(CourierTest, a_source_that_cannot_be_bound_is_our_trouble) {
    sources = Sources::from(from("192.0.2.99", "out.example"));
    auto const opened = open({});
    EXPECT_FALSE(opened.ok);
    EXPECT_TRUE(opened.ours);
    EXPECT_EQ(opened.kind, OutcomeKind::deferred);
    EXPECT_TRUE(opened.text.starts_with("cannot send from 192.0.2.99")) << opened.text;
    EXPECT_EQ(connections, 0U);
}

TEST_F(CourierTest, a_family_without_source_is_not_tried) {
    sources = Sources::from(from("2001:db8::1", ""));
    auto const opened = open({});
    EXPECT_FALSE(opened.ok);
    EXPECT_EQ(opened.tried, 0U);
    EXPECT_EQ(connections, 0U);
}

TEST_F(CourierTest, dots_are_doubled_and_nothing_can_end_the_message) {
    ASSERT_TRUE(open({}).ok) << what_happened;
    EXPECT_EQ(send(message("Subject: x\r\n\r\n.\r\n..\r\n.x\r\n"))[0].kind, OutcomeKind::delivered);
    EXPECT_EQ(messages.front(), "Subject: x\r\n\r\n..\r\n...\r\n..x\r\n");
    EXPECT_EQ(messages.size(), 1U);
}

TEST_F(CourierTest, an_address_cannot_hold_a_command) {
    ASSERT_TRUE(open({}).ok) << what_happened;
    auto t = message();
    t.recipients.push_back(t.recipients[0]);
    t.recipients[0].address = "a@example.net>\r\nRSET\r\nRCPT TO:<b@example.net";
    auto const outcomes = send(t);
    EXPECT_EQ(outcomes[0].enhanced, "5.1.3");
    EXPECT_EQ(outcomes[1].kind, OutcomeKind::delivered);
    EXPECT_EQ(count("RSET"), 0U);
    EXPECT_EQ(count("RCPT"), 1U);
}

TEST_F(CourierTest, what_a_server_says_is_shown_in_one_harmless_line) {
    Script script;
    script.answers["RCPT"] = "550 5.1.1 no\x1B[31m \xFF\t" + std::string(900, 'x');
    ASSERT_TRUE(open(script).ok) << what_happened;
    auto const text = send(message())[0].text;
    EXPECT_LE(text.size(), 512U);
    EXPECT_EQ(text.substr(0, 14), "no [31m \xEF\xBF\xBD xx") << text;
}

// The replies had come before the connection broke, and the commands behind them could not go out
// any more: nobody knows of the message, and it is tried again.
TEST_F(CourierTest, a_connection_that_breaks_behind_the_last_reply_to_a_recipient) {
    constexpr std::size_t many = 1'000;  // more commands than a connection holds for its reader
    auto script = offering("PIPELINING");
    script.answers["MAIL"] = "250 2.1.0 ok";
    for (std::size_t i = 0; i < many; ++i)
        script.answers["MAIL"] += "\r\n250 2.1.5 ok";
    script.breaks_at = "MAIL";
    ASSERT_TRUE(open(script).ok);
    auto t = message();
    t.recipients.resize(many);
    for (std::size_t i = 0; i < many; ++i)
        t.recipients[i].address = std::string(60, 'a') + std::to_string(i) + "@example.net";
    auto const outcomes = send(std::move(t));
    ASSERT_EQ(outcomes.size(), many);
    for (auto const& outcome : outcomes) {
        ASSERT_EQ(outcome.kind, OutcomeKind::deferred);
        ASSERT_FALSE(outcome.possible_duplicate);
    }
}

}  // namespace
}  // namespace millrace::relay
