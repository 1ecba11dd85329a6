#include "milter/session.hpp"

#include <algorithm>
#include <optional>
#include <random>

#include <gtest/gtest.h>

// Goal: one SMTP session, told callback by callback, judges every message as a new object would.
namespace millrace::milter {
namespace {

constexpr policy::Invention invention{.date = "Tue, 24 Nov 2026 08:15:30 +0000",
                                      .message_id_left = "unique"};

config::Settings settings() {
    config::Settings s;
    s.gate.message_id_domain = "mx.example.com";
    s.gate.sender = "postmaster@mx.example.com";
    return s;
}

PinnedRules rules(config::Settings s = settings()) {
    return make_rules(s);
}

const Time now = from_unix_millis(1'795'508'130'000);

const Client postfix{.mta = "Postfix 3.7.11", .address = "127.0.0.1"};

using Fields = std::vector<std::pair<std::string, std::string>>;

const Fields whole = {{"From", " a@example.com"},
                      {"To", " b@example.net"},
                      {"Subject", " plain"},
                      {"Date", " Tue, 24 Nov 2026 08:15:30 +0000"},
                      {"Message-ID", " <1@example.com>"}};

Decision send(Session& session,
              const Fields& fields,
              std::string_view sender = "<a@example.com>",
              PinnedRules pinned = rules(),
              std::string_view account = {},
              std::string_view mailer = "smtp") {
    session.begin({.sender = sender, .parameters = {}, .account = account}, std::move(pinned));
    session.recipient("<rose@Garden.test>", mailer);
    for (const auto& [name, value] : fields) {
        session.header(name, value);
    }
    return session.end_of_message("Q1", invention, now);
}

Fields with_subject(std::string value) {
    Fields fields = whole;
    fields[2].second = std::move(value);
    return fields;
}

Fields without(std::string_view name) {
    Fields fields = whole;
    std::erase_if(fields, [&](const auto& f) { return f.first == name; });
    return fields;
}

TEST(Session, LeavesACleanMessageAlone) {
    Session session;
    session.connect(postfix);
    const Decision d = send(session, whole);
    EXPECT_EQ(d.reply.kind, Reply::Kind::accept);
    EXPECT_TRUE(d.operations.empty());
    EXPECT_EQ(d.report.verdict, "accept");
    EXPECT_EQ(d.report.origin, "submission");
    EXPECT_EQ(d.report.queue_id, "Q1");
    EXPECT_EQ(d.report.recipients, 1u);
}

TEST(Session, ReplacesASubjectThatIsNotEncoded) {
    Session session;
    session.connect(postfix);
    const Decision d = send(session, with_subject(" caf\xc3\xa9"));
    ASSERT_EQ(d.operations.size(), 1u);
    EXPECT_EQ(d.operations[0].kind, Operation::Kind::change);
    EXPECT_EQ(d.operations[0].name, "Subject");
    EXPECT_EQ(d.operations[0].index, 1);
    EXPECT_EQ(d.operations[0].value.find('\r'), std::string::npos);
    EXPECT_TRUE(d.operations[0].value.starts_with(" =?UTF-8?"));
}

TEST(Session, RefusesWithTheFaultsName) {
    Session session;
    session.connect(postfix);
    const Decision d = send(session, without("From"));
    EXPECT_EQ(d.reply.kind, Reply::Kind::reject);
    EXPECT_EQ(d.reply.code, "550");
    EXPECT_NE(d.reply.text.find("From"), std::string::npos);
    EXPECT_TRUE(d.operations.empty());
    EXPECT_EQ(d.report.edits, 0u);
}

TEST(Session, ActsForTheSendersAndDestinationsOfItsScopeOnly) {
    auto scoped = settings();
    scoped.milter.only_from = {"example.com", ".company.test"};
    Session session;
    session.connect(postfix);
    const Fields bad = without("From");
    EXPECT_EQ(send(session, bad, "<a@Example.com>", rules(scoped)).report.verdict, "reject");
    EXPECT_EQ(send(session, bad, "<a@x.company.test>", rules(scoped)).report.verdict, "reject");
    EXPECT_EQ(send(session, bad, "<a@example.org>", rules(scoped)).report.verdict, "untouched");
    EXPECT_EQ(send(session, bad, "<>", rules(scoped)).report.verdict, "untouched");
    scoped.milter.only_from = {};
    scoped.milter.only_to = {"garden.test"};
    EXPECT_EQ(send(session, bad, "<a@example.org>", rules(scoped)).report.verdict, "reject");
    scoped.milter.only_to = {"meadow.test"};
    EXPECT_EQ(send(session, bad, "<a@example.org>", rules(scoped)).report.verdict, "untouched");
}

TEST(Session, SaysWhoseMessageItWasAndWhatChanges) {
    auto quiet = settings();
    quiet.gate.mode = policy::Mode::report_only;
    Session session;
    session.connect(postfix);
    Fields fields = with_subject(" caf\xc3\xa9");
    fields[0].second = " B\xc3\xbc <a@B\xc3\xbc.example>";
    const Decision d = send(session, fields, "<a@example.com>", rules(quiet));
    EXPECT_EQ(d.report.client, "127.0.0.1");
    EXPECT_EQ(d.report.message_id, "<1@example.com>");
    EXPECT_EQ(d.report.from, (std::vector<std::string>{"xn--b-eha.example"}));
    EXPECT_EQ(d.report.to, (std::map<std::string, unsigned>{{"garden.test", 1}}));
    ASSERT_FALSE(d.report.changes.empty());
    EXPECT_TRUE(d.operations.empty());
}

TEST(Session, ReportOnlyChangesNothingAndSaysWhatItWould) {
    auto quiet = settings();
    quiet.gate.mode = policy::Mode::report_only;
    Session session;
    session.connect(postfix);
    const Decision refused = send(session, without("From"), "<a@example.com>", rules(quiet));
    EXPECT_EQ(refused.reply.kind, Reply::Kind::accept);
    EXPECT_EQ(refused.report.verdict, "would-reject");
    const Decision mended =
        send(session, with_subject(" caf\xc3\xa9"), "<a@example.com>", rules(quiet));
    EXPECT_TRUE(mended.operations.empty());
    EXPECT_EQ(mended.report.verdict, "would-accept");
    EXPECT_EQ(mended.report.edits, 1u);
}

TEST(Session, MailOfStrangersPassesUntouched) {
    Session session;
    session.connect({.mta = "Postfix 3.7.11", .address = "192.0.2.7"});
    const Decision d = send(session, {{"Subject", " caf\xe9"}});
    EXPECT_EQ(d.report.verdict, "untouched");
    EXPECT_EQ(d.reply.kind, Reply::Kind::accept);
    EXPECT_TRUE(d.operations.empty());
}

TEST(Session, ALoginOrATrustedAddressMakesItOurs) {
    Session session;
    session.connect({.mta = "Postfix 3.7.11", .address = "192.0.2.7"});
    EXPECT_EQ(send(session, whole, "<a@example.com>", rules(), "alice").report.origin,
              "submission");
    EXPECT_EQ(send(session, whole).report.origin, "smtp") << "the login was of the last message";
    auto s = settings();
    s.milter.trusted = {*Network4or6::parse("192.0.2.0/24")};
    EXPECT_EQ(send(session, whole, "<a@example.com>", rules(s)).report.origin, "submission");
    session.connect({.mta = "8.17.1.9", .address = "IPv6:::1"});
    EXPECT_EQ(send(session, whole).report.origin, "submission");
}

TEST(Session, MailWithoutSmtpIsLocal) {
    Session pickup;
    pickup.connect(postfix);
    EXPECT_EQ(send(pickup, whole, "a@example.com").report.origin, "local");
    EXPECT_EQ(send(pickup, whole, "").report.origin, "local");
    EXPECT_EQ(send(pickup, whole, "<>").report.origin, "submission");
    Session stdin_of_sendmail;
    stdin_of_sendmail.connect({.mta = "8.17.1.9", .address = ""});
    EXPECT_EQ(send(stdin_of_sendmail, whole).report.origin, "local");
}

TEST(Session, LeavesTheMessageIdToSendmail) {
    Session session;
    session.connect({.mta = "8.17.1.9", .address = "127.0.0.1"});
    EXPECT_TRUE(send(session, without("Message-ID")).operations.empty());
    session.connect(postfix);
    EXPECT_EQ(send(session, without("Message-ID")).operations.size(), 1u);
}

TEST(Session, RulesStayPinnedFromMailOn) {
    Session session;
    session.connect(postfix);
    auto strict = settings();
    strict.gate.actions[static_cast<std::size_t>(policy::Check::message_id_absent)] =
        policy::Action::reject;
    auto pinned = rules(strict);
    session.begin({.sender = "<a@example.com>", .parameters = {}, .account = {}}, pinned);
    pinned = rules();  // a reload
    for (const auto& [name, value] : without("Message-ID")) {
        session.header(name, value);
    }
    EXPECT_EQ(session.end_of_message("Q", invention, now).reply.kind, Reply::Kind::reject);
}

TEST(Session, AHeaderBlockWithoutEndIsRefusedAndForgotten) {
    Session session;
    session.connect(postfix);
    session.begin({.sender = "<a@example.com>", .parameters = {}, .account = {}}, rules());
    const std::string big(60'000, 'x');
    for (std::size_t sent = 0; sent <= block_max; sent += big.size()) {
        session.header("X-Big", big);
    }
    const Decision d = session.end_of_message("Q", invention, now);
    EXPECT_EQ(d.reply.code, "552");
    EXPECT_EQ(d.reply.enhanced, "5.3.4");
    EXPECT_EQ(send(session, whole).report.verdict, "accept");
}

TEST(Session, EndWithoutMailIsOurTrouble) {
    Session session;
    session.connect(postfix);
    EXPECT_EQ(session.end_of_message("Q", invention, now).reply.kind, Reply::Kind::tempfail);
}

// ---- the handover to the relay

constexpr std::string_view key = "0123456789abcdef0123456789abcdef";

PinnedRules handing_over(config::Settings s = settings()) {
    s.milter.handover_secret = key;
    return make_rules(s);
}

std::optional<handover::Handover> handed(const Decision& d) {
    std::optional<handover::Handover> found;
    for (const Operation& o : d.operations) {
        if (o.name != handover::field_name || o.value.empty()) continue;
        EXPECT_FALSE(found) << "two of them";
        EXPECT_EQ(&o, &d.operations.back()) << "behind all other edits";
        const auto told = handover::read(o.value, std::string(key));
        EXPECT_TRUE(told);
        if (told) found = *told;
    }
    return found;
}

TEST(Handover, TellsTheRelayWhoseMailItIs) {
    Session session;
    session.connect({.mta = "Postfix 3.7.11", .address = "192.0.2.7"});
    Fields fields = with_subject(" caf\xc3\xa9");
    fields.push_back({"X-tag", " spring"});
    const Decision d =
        send(session, fields, "<a@example.com>", handing_over(), "alice", "millrace");
    EXPECT_EQ(d.report.edits, 1u) << "the gate's own";
    const auto told = handed(d);
    ASSERT_TRUE(told);
    EXPECT_EQ(*told,
              (handover::Handover{.time = 1'795'508'130,
                                  .queue_id = "Q1",
                                  .account = "alice",
                                  .client = "192.0.2.7",
                                  .origin = policy::Origin::submission,
                                  .verdict = handover::Verdict::judged,
                                  .tag = "spring",
                                  .sender = handover::digest_of("a@example.com")}));
}

TEST(Handover, ForeignMailIsOnlySaidToBeForeign) {
    Session session;
    session.connect({.mta = "Postfix 3.7.11", .address = "192.0.2.7"});
    const Decision d = send(session,
                            {{"Subject", " caf\xe9"}, {"X-Millrace-Handover", " forged"}},
                            "<a@b.example>",
                            handing_over(),
                            {},
                            "millrace");
    EXPECT_EQ(d.report.verdict, "untouched");
    ASSERT_EQ(d.operations.size(), 1u) << "what came stays, whatever it is";
    const auto told = handed(d);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->verdict, handover::Verdict::untouched);
    EXPECT_EQ(told->origin, policy::Origin::smtp);
    EXPECT_EQ(told->account + told->tag, "");
}

TEST(Handover, OurMailThatTheGateDoesNotCoverKeepsItsLogin) {
    auto s = settings();
    s.milter.only_from = {"other.example"};
    Session session;
    session.connect(postfix);
    const Decision d = send(session, whole, "<a@example.com>", handing_over(s), "anna", "millrace");
    const auto told = handed(d);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->verdict, handover::Verdict::untouched);
    EXPECT_EQ(told->account, "anna");
}

TEST(Handover, OnlyWhenEveryCopyLeavesThroughTheRelay) {
    Session session;
    session.connect(postfix);
    const auto with = [&](const std::vector<std::string_view>& mailers, const PinnedRules& r) {
        session.begin({.sender = "<a@example.com>", .parameters = {}, .account = {}}, r);
        for (const std::string_view mailer : mailers) {
            session.recipient("<rose@garden.test>", mailer);
        }
        for (const auto& [name, value] : whole) {
            session.header(name, value);
        }
        return session.end_of_message("Q1", invention, now).operations.size();
    };
    const PinnedRules r = handing_over();
    EXPECT_EQ(with({"millrace", "millrace"}, r), 1u);
    EXPECT_EQ(with({"millrace", "local"}, r), 0u);
    EXPECT_EQ(with({"local", "millrace"}, r), 0u);
    EXPECT_EQ(with({""}, r), 0u) << "an MTA that does not tell";
    EXPECT_EQ(with({}, r), 0u);
    EXPECT_EQ(with({"millrace"}, rules()), 0u) << "no key";
    auto s = settings();
    s.gate.mode = policy::Mode::report_only;
    EXPECT_EQ(with({"millrace"}, handing_over(s)), 0u) << "report-only changes nothing";
    s = settings();
    s.milter.handover_mailers = {"relay", "esmtp"};
    EXPECT_EQ(with({"relay", "esmtp"}, handing_over(s)), 1u);
    EXPECT_EQ(with({"millrace"}, handing_over(s)), 0u);
}

TEST(Handover, ForgedFieldsOfOurSideAreTakenOut) {
    Session session;
    session.connect(postfix);
    Fields fields = whole;
    fields.insert(fields.begin(), {"X-Millrace-Handover", " v=1"});
    fields.push_back({"x-millrace-handover", " caf\xe9"});
    for (const std::string_view mailer : {"millrace", "local"}) {
        const Decision d = send(session, fields, "<a@example.com>", handing_over(), {}, mailer);
        ASSERT_GE(d.operations.size(), 2u);
        const std::size_t own = mailer == "millrace" ? 1 : 0;
        EXPECT_EQ(handed(d).has_value(), own == 1);
        const std::size_t first = d.operations.size() - own - 2;
        EXPECT_EQ(d.operations[first],
                  (Operation{.name = "X-Millrace-Handover", .value = {}, .index = 2}));
        EXPECT_EQ(d.operations[first + 1],
                  (Operation{.name = "X-Millrace-Handover", .value = {}, .index = 1}));
        if (own == 1) {
            EXPECT_EQ(d.operations.back().kind, Operation::Kind::insert) << "not before namesakes";
        }
        EXPECT_TRUE(std::ranges::any_of(d.report.defects, [](const policy::Defect& defect) {
            return defect.code == "handover-forged";
        }));
    }
}

TEST(Handover, TheSenderIsTheOneThatPostfixCompletes) {
    Session session;
    session.connect(postfix);
    const auto sender_of = [&](std::string_view resolved) {
        session.begin({.sender = "<root>", .parameters = {}, .account = {}, .resolved = resolved},
                      handing_over());
        session.recipient("<rose@garden.test>", "millrace");
        for (const auto& [name, value] : whole) {
            session.header(name, value);
        }
        return handed(session.end_of_message("Q1", invention, now)).value().sender;
    };
    EXPECT_EQ(sender_of("root@mx.example.com"), handover::digest_of("root@mx.example.com"));
    EXPECT_EQ(sender_of(""), handover::digest_of("root"));
}

// Reliability T6: whatever was told before, the next message's decision is that of a fresh object.
TEST(Session, NothingOfAMessageReachesTheNext) {
    std::mt19937 random(20261124);
    const auto pick = [&](unsigned n) {
        return static_cast<unsigned>(random() % n);
    };
    const std::vector<Fields> messages = {whole,
                                          without("From"),
                                          without("Message-ID"),
                                          with_subject(" \xe4\xbd\xa0"),
                                          with_subject("")};
    const std::vector<std::string> senders = {"<a@example.com>", "a@example.com", "<>", ""};
    const PinnedRules pinned = rules();
    Session used;
    for (int script = 0; script < 100'000; ++script) {
        const Client client = pick(2) == 0 ? postfix : Client{"8.17.1.9", "192.0.2.7"};
        if (script == 0 || pick(4) == 0) {
            used.connect(client);
        } else {
            used.connect(client);
            // A message that never ends, in one of the protocol's ways.
            used.begin({.sender = senders[pick(4)], .parameters = {}, .account = "mallory"},
                       pinned);
            used.header("X-Leftover", std::string(pick(200), 'x'));
            if (pick(2) == 0) used.abort();
        }
        Session fresh;
        fresh.connect(client);
        const Fields& message = messages[pick(5)];
        const std::string& sender = senders[pick(4)];
        const Decision a = send(used, message, sender, pinned);
        const Decision b = send(fresh, message, sender, pinned);
        ASSERT_EQ(a.reply, b.reply) << "script " << script;
        ASSERT_EQ(a.operations, b.operations) << "script " << script;
        ASSERT_EQ(a.report.origin, b.report.origin);
        ASSERT_EQ(a.report.account, b.report.account);
        ASSERT_EQ(a.report.defects, b.report.defects);
    }
}

}  // namespace
}  // namespace millrace::milter
