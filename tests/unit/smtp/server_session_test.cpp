// Goal: one reply per command, nothing left behind by a refused one (reliability T1, T2, F5, F6).
#include "common/smtp/server_session.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::smtp {
namespace {

using Next = Step::Next;
using Behind = ServerSession::Behind;

struct Policy final : ServerPolicy {
    std::optional<Reply> refuse_mail, refuse_rcpt;
    std::optional<Reply> mail(const MailArguments&) override { return refuse_mail; }
    std::optional<Reply> rcpt(const RcptArguments&) override { return refuse_rcpt; }
};

ServerOptions options() {
    ServerOptions out;
    out.hostname = "relay.example";
    out.size_max = 1000;
    out.recipients_max = 100;
    out.starttls = true;
    out.xforward = true;
    return out;
}

// A session with an owner that reads data and chunks and answers 250 to every message.
struct Client {
    Policy policy;
    ServerSession session;
    Client() : session(options(), policy) {}
    explicit Client(ServerOptions o) : session(std::move(o), policy) {}

    Step raw(std::string_view line, Behind behind = Behind::nothing) {
        return session.step({Line::Kind::command, std::string(line)}, behind);
    }
    // The code of the one reply; for a chunk, of the reply after it.
    unsigned say(std::string_view line) {
        Step step = raw(line);
        if (step.next == Next::chunk) step = session.chunk_done(ServerSession::Fit::within);
        if (step.next == Next::store) step = session.finish(reply(250, "2.0.0", "stored"));
        return step.reply ? step.reply->code : 0;
    }
    void begin(std::initializer_list<std::string_view> lines) {
        for (const std::string_view line : lines)
            ASSERT_LT(say(line), 400U) << line;
    }
};

struct State {
    std::string name;
    std::vector<std::string_view> path;
};

const std::vector<State> states = {
    {"new", {}},
    {"helo", {"HELO c"}},
    {"ehlo", {"EHLO c"}},
    {"mail", {"EHLO c", "MAIL FROM:<a@b>"}},
    {"rcpt", {"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"}},
    {"chunk", {"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 3"}},
    {"after a message", {"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 3 LAST"}},
    {"after RSET", {"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RSET"}},
};

const std::vector<std::string_view> verbs = {"HELO c",
                                             "EHLO c",
                                             "MAIL FROM:<a@b>",
                                             "RCPT TO:<c@d>",
                                             "DATA",
                                             "BDAT 3",
                                             "BDAT 3 LAST",
                                             "RSET",
                                             "NOOP x",
                                             "QUIT",
                                             "VRFY c",
                                             "EXPN l",
                                             "HELP",
                                             "STARTTLS",
                                             "AUTH PLAIN",
                                             "XFORWARD NAME=x",
                                             "FOO"};

// Expected first reply by state (column order as `states`) for each verb.
const std::map<std::string_view, std::vector<unsigned>> table = {
    {"HELO c", {250, 250, 250, 250, 250, 250, 250, 250}},
    {"EHLO c", {250, 250, 250, 250, 250, 250, 250, 250}},
    {"MAIL FROM:<a@b>", {503, 250, 250, 503, 503, 503, 250, 250}},
    {"RCPT TO:<c@d>", {503, 503, 503, 250, 250, 503, 503, 503}},
    {"DATA", {503, 503, 503, 554, 354, 503, 503, 503}},
    {"BDAT 3", {503, 503, 503, 554, 250, 250, 503, 503}},
    {"BDAT 3 LAST", {503, 503, 503, 554, 250, 250, 503, 503}},
    {"RSET", {250, 250, 250, 250, 250, 250, 250, 250}},
    {"NOOP x", {250, 250, 250, 250, 250, 250, 250, 250}},
    {"QUIT", {221, 221, 221, 221, 221, 221, 221, 221}},
    {"VRFY c", {252, 252, 252, 252, 252, 252, 252, 252}},
    {"EXPN l", {502, 502, 502, 502, 502, 502, 502, 502}},
    {"HELP", {214, 214, 214, 214, 214, 214, 214, 214}},
    {"STARTTLS", {220, 220, 220, 220, 220, 220, 220, 220}},
    {"AUTH PLAIN", {502, 502, 502, 502, 502, 502, 502, 502}},
    {"XFORWARD NAME=x", {250, 250, 250, 503, 503, 503, 250, 250}},
    {"FOO", {500, 500, 500, 500, 500, 500, 500, 500}},
};

TEST(StateTable, EveryVerbInEveryState) {
    unsigned cells = 0;
    for (const std::string_view verb : verbs) {
        for (std::size_t i = 0; i < states.size(); ++i) {
            Client client;
            client.begin({});
            for (const std::string_view line : states[i].path)
                ASSERT_LT(client.say(line), 400U) << line;
            EXPECT_EQ(client.say(verb), table.at(verb)[i]) << verb << " in " << states[i].name;
            ++cells;
        }
    }
    EXPECT_EQ(cells, verbs.size() * states.size());
}

// Whatever is refused leaves the state as it was: everything said afterwards is answered as if it
// had not been said.
TEST(StateTable, ARefusedCommandLeavesNothing) {
    const std::vector<std::string_view> refused = {"HELO",
                                                   "EHLO",
                                                   "EHLO a b",
                                                   "MAIL FROM:<a>",
                                                   "MAIL FROM:<a@b> X",
                                                   "RCPT TO:<c>",
                                                   "RCPT TO:<c@d> X",
                                                   "DATA x",
                                                   "RSET x",
                                                   "QUIT x",
                                                   "STARTTLS x",
                                                   "XFORWARD FOO",
                                                   "VRFY",
                                                   "FOO",
                                                   "",
                                                   "MAIL FROM:<a@b> SIZE=1001",
                                                   "NO\x01OP"};
    for (const std::string_view bad : refused) {
        for (std::size_t i = 0; i < states.size(); ++i) {
            for (const std::string_view verb : verbs) {
                Client client;
                for (const std::string_view line : states[i].path)
                    client.say(line);
                const Step step = client.raw(bad);
                ASSERT_TRUE(step.reply);
                ASSERT_GE(step.reply->code, 500U) << bad;
                ASSERT_EQ(step.next, Next::command) << bad;
                EXPECT_EQ(client.say(verb), table.at(verb)[i])
                    << verb << " after " << bad << " in " << states[i].name;
            }
        }
    }
}

TEST(StateTable, AfterResetTheRecipientsAreGone) {
    for (const std::string_view reset : {"RSET", "EHLO c", "HELO c"}) {
        Client client;
        client.begin({"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 3", reset});
        EXPECT_FALSE(client.session.in_transaction());
        EXPECT_FALSE(client.session.chunking());
        client.begin({"MAIL FROM:<a@b>"});
        EXPECT_EQ(client.say("DATA"), 554U);
    }
}

TEST(Policy, RefusedMailOrRecipientLeavesNothing) {
    Client client;
    client.begin({"EHLO c"});
    client.policy.refuse_mail = reply(452, "4.3.1", "full");
    EXPECT_EQ(client.say("MAIL FROM:<a@b>"), 452U);
    EXPECT_EQ(client.say("RCPT TO:<c@d>"), 503U);
    client.policy.refuse_mail.reset();
    client.policy.refuse_rcpt = reply(550, "5.7.1", "no");
    client.begin({"MAIL FROM:<a@b>"});
    EXPECT_EQ(client.say("RCPT TO:<c@d>"), 550U);
    EXPECT_EQ(client.say("DATA"), 554U);
}

TEST(Limits, TooManyRecipientsIs452) {
    Client client;
    client.begin({"EHLO c", "MAIL FROM:<a@b>"});
    for (unsigned i = 0; i < 100; ++i)
        ASSERT_EQ(client.say("RCPT TO:<c@d>"), 250U);
    const Step step = client.raw("RCPT TO:<c@d>");
    EXPECT_EQ(step.reply->text().substr(0, 9), "452 4.5.3");
    EXPECT_EQ(client.session.transaction().recipients.size(), 100U);
    EXPECT_EQ(client.say("DATA"), 354U);
}

TEST(Limits, ErrorsEndTheSessionAndAMessageForgivesThem) {
    Client client;
    client.begin({"EHLO c"});
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 19; ++i)
            ASSERT_EQ(client.say("FOO"), 500U);
        client.begin({"MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 1 LAST"});
    }
    for (int i = 0; i < 19; ++i)
        client.say("FOO");
    const Step step = client.raw("FOO");
    EXPECT_EQ(step.reply->code, 421U);
    EXPECT_EQ(step.next, Next::close);
}

TEST(Limits, IdleChatterEnds) {
    Client client;
    unsigned answered = 0;
    while (client.say("NOOP") == 250U && answered < 1000)
        ++answered;
    EXPECT_EQ(answered, 100U);
}

TEST(Limits, TrustedClientsRecipientsAreNoErrors) {
    ServerOptions trusted = options();
    trusted.trusted = true;
    Client client(trusted);
    client.begin({"EHLO c", "MAIL FROM:<a@b>"});
    for (int i = 0; i < 100; ++i)
        ASSERT_EQ(client.say("RCPT TO:<c>"), 553U);
    EXPECT_EQ(client.say("RCPT TO:<c@d>"), 250U);
}

TEST(Pipelining, NothingMayFollowWhatNeedsAnAnswer) {
    for (const std::string_view line : {"EHLO c", "HELO c", "DATA", "STARTTLS"}) {
        Client client;
        client.begin({"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"});
        const Step step = client.raw(line, Behind::more);
        EXPECT_EQ(step.next, Next::close) << line;
        EXPECT_EQ(step.reply->code, 554U) << line;
    }
}

TEST(StartTls, EverythingIsForgotten) {
    Client client;
    client.begin({"EHLO c", "XFORWARD NAME=x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"});
    const Step step = client.raw("STARTTLS");
    EXPECT_EQ(step.next, Next::start_tls);
    client.session.tls_started();
    EXPECT_FALSE(client.session.in_transaction());
    EXPECT_EQ(client.session.helo(), "");
    EXPECT_EQ(client.session.forwarded(), Forwarded());
    EXPECT_EQ(client.say("MAIL FROM:<a@b>"), 503U);
    const Step hello = client.raw("EHLO c");
    for (const std::string& line : hello.reply->lines)
        EXPECT_NE(line, "STARTTLS") << "not offered inside TLS";
    EXPECT_EQ(client.say("STARTTLS"), 503U);
}

TEST(Foreign, FirstCommandOfAnotherProtocolEndsIt) {
    for (const std::string_view line :
         {"GET / HTTP/1.1", "POST /x HTTP/1.1", "Host: relay", "CONNECT a:25 HTTP/1.1"}) {
        Client client;
        const Step step = client.raw(line);
        EXPECT_EQ(step.next, Next::close);
        EXPECT_EQ(step.reply->code, 421U);
        EXPECT_EQ(step.reply->text().find("relay"), std::string::npos) << "nothing is echoed";
        Client later;
        later.begin({"EHLO c"});
        EXPECT_EQ(later.say(line), 500U);
    }
}

TEST(Chunks, OctetsAreTakenEvenWhenRefused) {
    Client client;
    client.begin({"EHLO c"});
    Step step = client.raw("BDAT 86 LAST");
    EXPECT_EQ(step.next, Next::chunk);
    EXPECT_EQ(step.octets, 86U);
    EXPECT_FALSE(step.keep);
    EXPECT_FALSE(step.reply);
    step = client.session.chunk_done(ServerSession::Fit::within);
    EXPECT_EQ(step.reply->code, 503U);
    EXPECT_EQ(step.next, Next::command);
}

TEST(Chunks, TooLargeEndsTheTransaction) {
    Client client;
    client.begin({"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 900"});
    Step step = client.raw("BDAT 900");
    step = client.session.chunk_done(ServerSession::Fit::too_large);
    EXPECT_EQ(step.reply->code, 552U);
    EXPECT_FALSE(client.session.in_transaction());
    EXPECT_EQ(client.say("BDAT 1 LAST"), 503U);
    EXPECT_EQ(client.say("MAIL FROM:<a@b>"), 250U);
}

TEST(Chunks, AMalformedSizeEndsTheSession) {
    for (const std::string_view line :
         {"BDAT", "BDAT -1", "BDAT 0x10", "BDAT 99999999999999999999", "BDAT 5000 LAST"}) {
        Client client;
        client.begin({"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"});
        const Step step = client.raw(line);
        EXPECT_EQ(step.next, Next::close) << line;
        EXPECT_GE(step.reply->code, 500U);
    }
}

TEST(Finish, TheTransactionIsOverWhateverTheVerdict) {
    for (const unsigned code : {250U, 421U, 451U, 452U, 550U, 552U}) {
        Client client;
        client.begin({"EHLO c", "XFORWARD IDENT=4ABC", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"});
        EXPECT_EQ(client.raw("DATA").next, Next::data);
        const Step step = client.session.finish(reply(code, "", "x"));
        EXPECT_EQ(step.reply->code, code);
        EXPECT_EQ(step.next, code == 421 ? Next::close : Next::command);
        EXPECT_FALSE(client.session.in_transaction());
        EXPECT_EQ(client.session.forwarded(), Forwarded());
        if (code != 421) EXPECT_EQ(client.say("RCPT TO:<c@d>"), 503U);
    }
}

TEST(Replies, EnhancedCodesEverywhereButGreetingAndHello) {
    std::set<std::string> without;
    for (const State& state : states) {
        for (const std::string_view verb : verbs) {
            Client client;
            for (const std::string_view line : state.path)
                client.say(line);
            Step step = client.raw(verb);
            if (step.next == Next::chunk)
                step = client.session.chunk_done(ServerSession::Fit::within);
            if (!step.reply) continue;
            const Reply& said = *step.reply;
            if (said.enhanced.empty()) {
                without.insert(std::string(verb.substr(0, 4)));
            } else {
                EXPECT_EQ(static_cast<unsigned>(said.enhanced[0] - '0'), said.code / 100) << verb;
            }
        }
    }
    EXPECT_EQ(without, (std::set<std::string>{"HELO", "EHLO", "DATA"}));  // DATA: the 354
}

// Random walks against a model of the transaction of a few lines.
TEST(Walk, TheModelAndTheSessionAgree) {
    std::uint64_t state = 42;
    const auto draw = [&state](std::uint64_t bound) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return (state >> 33) % bound;
    };
    std::uint64_t steps = 0;
    for (int walk = 0; walk < 20'000; ++walk) {
        Client client;
        bool greeted = false, mail = false, chunk = false;
        unsigned recipients = 0;
        for (int i = 0; i < 15; ++i) {
            const std::string_view verb = verbs[draw(verbs.size())];
            if (verb == "STARTTLS" || verb == "QUIT") continue;
            unsigned expected = 0;
            if (verb == "MAIL FROM:<a@b>") expected = greeted && !mail ? 250 : 503;
            if (verb == "RCPT TO:<c@d>") expected = mail && !chunk ? 250 : 503;
            if (verb.starts_with("BDAT")) expected = !mail ? 503 : recipients == 0 ? 554 : 250;
            if (verb == "DATA") expected = !mail || chunk ? 503 : recipients == 0 ? 554 : 354;
            const unsigned code = client.say(verb);
            if (expected != 0) {
                ASSERT_EQ(code, expected) << verb;
            }
            ++steps;
            const bool reset = verb == "RSET" || verb == "EHLO c" || verb == "HELO c";
            if (verb == "EHLO c" || verb == "HELO c") greeted = true;
            if (code == 250 && verb.starts_with("MAIL")) mail = true;
            if (code == 250 && verb.starts_with("RCPT")) ++recipients;
            if (code == 250 && verb == "BDAT 3") chunk = true;
            if (code == 354) client.session.finish(reply(451, "4.3.0", "x"));
            if (reset || code == 354 || (code == 250 && verb == "BDAT 3 LAST")) {
                mail = chunk = false;
                recipients = 0;
            }
            ASSERT_EQ(client.session.in_transaction(), mail);
            ASSERT_EQ(client.session.chunking(), chunk);
        }
    }
    EXPECT_GT(steps, 200'000U);
}

}  // namespace
}  // namespace millrace::smtp
