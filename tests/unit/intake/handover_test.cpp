// Goal: the relay believes what the milter has signed for this message, and nobody else; the field
// is never seen outside; who is not known gets the mail through all the same, at his pace.
#include <gtest/gtest.h>

#include "relay/intake/attribution.hpp"
#include "tests/unit/intake/house.hpp"

namespace millrace::relay::test {
namespace {

const handover::Key key = "0123456789abcdef0123456789abcdef";

config::Settings with_key() {
    config::Settings settings = House::defaults();
    settings.relay.handover_secret = key;
    settings.relay.limits.unattributed_per_hour = 0;
    return settings;
}

handover::Handover told(Time wall) {
    return {.time = unix_seconds(wall),
            .queue_id = "6FE41A781F3",
            .account = "anna",
            .client = "192.0.2.7",
            .origin = policy::Origin::submission,
            .verdict = handover::Verdict::judged,
            .tag = "spring",
            .sender = handover::digest_of("a@client.example")};
}

std::string field(const handover::Handover& handed, const handover::Key& with = key) {
    std::string out = "X-Millrace-Handover:";
    for (const char c : handover::field_value(handed, with)) {
        out += c == '\n' ? "\r\n" : std::string(1, c);
    }
    return out + "\r\n";
}

/// What the relay made of one message.
struct Taken {
    NewMail mail;
    unsigned complaints = 0;
    bool stripped = true;
    std::string log;
};

Taken hand_in(House& house, const std::string& fields, const std::string& ident = {}) {
    const std::size_t before = house.shelf.taken.size();
    const unsigned complaints = house.diary.count("intake.handover_invalid");
    Client& client = house.greeted();
    if (!ident.empty()) {
        EXPECT_EQ(house.code(client, "XFORWARD IDENT=" + ident), "250");
    }
    EXPECT_EQ(house.code(client, "MAIL FROM:<a@client.example>"), "250");
    EXPECT_EQ(house.code(client, "RCPT TO:<b@dest.example>"), "250");
    EXPECT_EQ(house.code(client, "DATA"), "354");
    const std::string answer = house.say(client, fields + House::message() + ".\r\n");
    EXPECT_TRUE(answer.starts_with("250 ")) << answer;
    Taken out;
    if (house.shelf.taken.size() == before + 1) out.mail = house.shelf.taken.back();
    out.complaints = house.diary.count("intake.handover_invalid") - complaints;
    const bool there = out.mail.body && out.mail.body->find("andover") != std::string::npos;
    out.stripped = out.mail.body != nullptr && !there;
    for (const std::string& line : house.diary.lines) {
        if (line.starts_with("intake.handover_invalid")) out.log = line;
    }
    return out;
}

TEST(Handover, WhatTheMilterSaysIsTakenOver) {
    House house(with_key());
    const Taken taken = hand_in(house, field(told(house.sim.now())), "6FE41A781F3");
    EXPECT_EQ(taken.mail.envelope.account, "anna");
    EXPECT_EQ(taken.mail.works.at(0).account, "anna");
    EXPECT_EQ(taken.mail.envelope.client, "unknown [192.0.2.7]");
    EXPECT_EQ(taken.mail.envelope.mta_queue_id, "6FE41A781F3");
    EXPECT_EQ(taken.mail.envelope.tag, "spring");
    EXPECT_TRUE(taken.stripped);
    EXPECT_EQ(taken.complaints, 0U);
}

TEST(Handover, JudgedMailIsNotJudgedAgainAndForeignMailIsNotTouched) {
    House house(with_key());
    const std::string bad = "Subject: caf\xc3\xa9\r\n";
    handover::Handover handed = told(house.sim.now());
    Taken taken = hand_in(house, field(handed) + bad);
    EXPECT_NE(taken.mail.body->find(bad), std::string::npos);
    handed.verdict = handover::Verdict::untouched;
    handed.origin = policy::Origin::smtp;
    handed.account.clear();
    taken = hand_in(house, field(handed) + bad);
    EXPECT_NE(taken.mail.body->find(bad), std::string::npos);
    EXPECT_EQ(taken.mail.envelope.account, "forwarded");
    EXPECT_TRUE(taken.stripped);
    taken = hand_in(house, bad.substr(0, 0));
    EXPECT_EQ(taken.mail.envelope.account, "local");
}

TEST(Handover, WithoutALoginTheClientPays) {
    House house(with_key());
    handover::Handover handed = told(house.sim.now());
    handed.account.clear();
    EXPECT_EQ(hand_in(house, field(handed)).mail.envelope.account, "192.0.2.7");
    handed.client = "IPv6:2001:db8::7";
    EXPECT_EQ(hand_in(house, field(handed)).mail.envelope.account, "2001:db8::7");
    handed.origin = policy::Origin::local;
    handed.client.clear();
    const Taken taken = hand_in(house, field(handed));
    EXPECT_EQ(taken.mail.envelope.account, "local");
    EXPECT_EQ(taken.mail.envelope.client, "local");
}

TEST(Handover, WhatIsNotForThisMessageIsNotBelieved) {
    House house(with_key());
    const Time now = house.sim.now();
    const auto with = [&](auto change) {
        handover::Handover handed = told(now);
        change(handed);
        return field(handed);
    };
    const std::vector<std::pair<std::string, std::string>> cases = {
        {field(told(now), "another key of thirty-two bytes!"), "signature is not of our key"},
        {"X-Millrace-Handover: v=1; account=root\r\n", "has no signature"},
        {with([](auto& h) { h.queue_id = "OTHER"; }), "queue id is another"},
        {with([](auto& h) { h.time -= 86'400 * 6 + 60; }), "too old"},
        {with([](auto& h) { h.time += 86'400 + 60; }), "from the future"},
    };
    for (const auto& [fields, why] : cases) {
        const Taken taken = hand_in(house, fields, "6FE41A781F3");
        EXPECT_EQ(taken.mail.envelope.account, "local") << why;
        EXPECT_EQ(taken.mail.envelope.tag, "email");
        EXPECT_TRUE(taken.stripped) << why;
        EXPECT_EQ(taken.complaints, 1U) << why;
        EXPECT_NE(taken.log.find(why), std::string::npos) << taken.log;
    }
    const std::string forged = "X-Millrace-Handover: forged\r\n";
    Taken taken = hand_in(house, forged + forged + forged);
    EXPECT_EQ(taken.complaints, 1U) << "one line a message";
    EXPECT_TRUE(taken.stripped);
    // Kept in the MTA's queue for as long as a message lives; a clock that was set.
    EXPECT_EQ(hand_in(house, with([](auto& h) { h.time -= 86'400 * 6 - 60; })).complaints, 0U);
    EXPECT_EQ(hand_in(house, with([](auto& h) { h.time += 86'000; })).complaints, 0U);
}

// sender_canonical_maps and masquerade_domains work behind the milter.
TEST(Handover, UnderARewrittenSenderTheAccountStaysAndTheGateJudgesAnew) {
    House house(with_key());
    const std::string bad = "Comments: caf\xc3\xa9\r\n";
    handover::Handover handed = told(house.sim.now());
    handed.sender = handover::digest_of("anna@localhost");
    Taken taken = hand_in(house, field(handed) + bad, "6FE41A781F3");
    EXPECT_EQ(taken.mail.envelope.account, "anna");
    EXPECT_EQ(taken.mail.body->find(bad), std::string::npos) << "encoded now";
    EXPECT_EQ(taken.complaints, 0U);
    handed.verdict = handover::Verdict::untouched;
    handed.origin = policy::Origin::smtp;
    taken = hand_in(house, field(handed) + bad, "6FE41A781F3");
    EXPECT_NE(taken.mail.body->find(bad), std::string::npos) << "not ours to touch";
    // Without a queue id nothing says that it is this message.
    taken = hand_in(house, field(handed));
    EXPECT_EQ(taken.mail.envelope.account, "local");
    EXPECT_NE(taken.log.find("the sender is another"), std::string::npos) << taken.log;
}

TEST(Handover, OursIsFoundBesideForgedOnes) {
    House house(with_key());
    const std::string forged = "X-Millrace-Handover: v=1; a=root\r\n";
    Taken taken = hand_in(house, forged + field(told(house.sim.now())) + forged);
    EXPECT_EQ(taken.mail.envelope.account, "anna");
    EXPECT_EQ(taken.complaints, 0U);
    EXPECT_TRUE(taken.stripped);
    std::string many = field(told(house.sim.now()));
    for (int i = 0; i < 10; ++i)
        many += forged;
    taken = hand_in(house, many);
    EXPECT_EQ(taken.mail.envelope.account, "local") << "only so many are looked at";
    EXPECT_TRUE(taken.stripped);
}

TEST(Handover, WithoutAKeyNobodyIsBelievedAndNobodySeesTheField) {
    House house;
    const Taken taken = hand_in(house, field(told(house.sim.now())));
    EXPECT_EQ(taken.mail.envelope.account, "local");
    EXPECT_TRUE(taken.stripped);
    EXPECT_EQ(taken.complaints, 0U);
}

TEST(Handover, ASubmissionListenerBelievesNobody) {
    config::Settings settings = with_key();
    settings.relay.listeners[0].profile = config::Profile::submission;
    House house(settings);
    const Taken taken = hand_in(house, field(told(house.sim.now())));
    EXPECT_EQ(taken.mail.envelope.account, "local");
    EXPECT_TRUE(taken.stripped);
}

// What the milter lets pass because a refusal would be a bounce, the relay lets pass too.
TEST(Handover, MailThatCameToTheMtaWithoutSmtpIsMendedNeverRefused) {
    House house(with_key());
    const auto reply_with = [&](const std::string& source) {
        Client& client = house.greeted();
        if (!source.empty()) EXPECT_EQ(house.code(client, "XFORWARD SOURCE=" + source), "250");
        EXPECT_EQ(house.code(client, "MAIL FROM:<www-data@client.example>"), "250");
        EXPECT_EQ(house.code(client, "RCPT TO:<b@dest.example>"), "250");
        EXPECT_EQ(house.code(client, "DATA"), "354");
        return house.say(client, "From: www-data@client.example\r\n\r\nno To, no Subject\r\n.\r\n");
    };
    EXPECT_TRUE(reply_with("LOCAL").starts_with("250 "));
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    EXPECT_NE(house.shelf.taken[0].body->find("\r\nDate: "), std::string::npos);
    EXPECT_TRUE(reply_with("REMOTE").starts_with("550 5.6.0 "));
    EXPECT_TRUE(reply_with("").starts_with("550 5.6.0 "));
}

TEST(Handover, WhoIsNotKnownIsSlowedDownNeverRefused) {
    config::Settings settings = with_key();
    settings.relay.limits.unattributed_per_hour = 60;
    House house(settings);
    const Time begin = house.sim.now();
    for (int i = 0; i < 35; ++i)
        hand_in(house, {});
    ASSERT_EQ(house.shelf.taken.size(), 35U);
    unsigned waiting = 0;
    for (const NewMail& mail : house.shelf.taken) {
        const Work& work = mail.works.at(0);
        if (work.last_reply.empty()) {
            EXPECT_LE(work.due, house.sim.now());
            continue;
        }
        ++waiting;
        EXPECT_EQ(work.last_reply,
                  "account local is limited to 60 recipients an hour "
                  "(relay.limits.unattributed_per_hour)");
        EXPECT_FALSE(work.held);
    }
    EXPECT_GE(waiting, 18U);
    EXPECT_GE(house.shelf.taken.back().works[0].due, begin + 18min);
    EXPECT_LE(house.shelf.taken.back().works[0].due, begin + 21min);
    EXPECT_EQ(house.diary.count("intake.slowed_down"), waiting);
    // Whose mail the milter hands over does not stand in that line.
    const Taken known = hand_in(house, field(told(house.sim.now())));
    EXPECT_LE(known.mail.works.at(0).due, house.sim.now());
    EXPECT_EQ(known.mail.works.at(0).last_reply, "");
}

TEST(Handover, WithoutAKeyThereIsNoLimit) {
    config::Settings settings = House::defaults();
    settings.relay.limits.unattributed_per_hour = 1;
    House house(settings);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(hand_in(house, {}).mail.works.at(0).last_reply, "");
    }
}

}  // namespace
}  // namespace millrace::relay::test
