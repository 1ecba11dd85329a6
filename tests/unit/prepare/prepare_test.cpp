#include "relay/prepare/prepare.hpp"

#include <gtest/gtest.h>

#include "common/mail/header_block.hpp"

// Goal: what goes into the spool is the message that came in, plus one trace field, plus the gate's
// edits, and nothing else; what may not pass is refused with the reply the contract names.
namespace millrace::relay {
namespace {

const std::string head =
    "From: ann@example.com\r\nTo: bob@example.org\r\nSubject: hi\r\n"
    "Date: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n";

class PrepareTest : public testing::Test {
  protected:
    policy::Settings settings;
    Rules rules;
    Arrival arrival;

    PrepareTest() {
        settings.sender = "postmaster@relay.example.net";
        settings.message_id_domain = "relay.example.net";
        rules.gate = &settings;
        rules.hostname = "relay.example.net";
        arrival.envelope.sender = "app@example.com";
        arrival.envelope.recipients = {{"bob@example.org", "example.org", {}, {}}};
        arrival.session = {"client.example.com", "client.example.com", "192.0.2.7"};
        arrival.wall = from_unix_millis(1'795'508'130'000);
        arrival.invention = {"Tue, 24 Nov 2026 08:15:30 +0000", "unique"};
    }

    std::variant<Prepared, Refused> run(std::string message) {
        arrival.message = std::move(message);
        return prepare(arrival, rules);
    }
    Prepared accepted(std::string message) {
        auto result = run(std::move(message));
        const auto* refused = std::get_if<Refused>(&result);
        EXPECT_EQ(refused, nullptr) << (refused != nullptr ? refused->text : "");
        return refused == nullptr ? std::get<Prepared>(std::move(result)) : Prepared{};
    }
    std::string refused(std::string message) {
        const auto result = run(std::move(message));
        const auto* refusal = std::get_if<Refused>(&result);
        if (refusal == nullptr) return "accepted";
        return std::to_string(refusal->code) + ' ' + refusal->enhanced + ' ' + refusal->text;
    }
    /// The stored message without its trace field.
    static std::string below_trace(const Prepared& prepared) {
        const auto block = mail::parse_header_block(*prepared.body, mail::LineEnd::crlf);
        EXPECT_EQ(block.fields.at(0).name, "Received");
        return prepared.body->substr(block.extents.at(0).size);
    }
    static bool has_defect(const Prepared& prepared, std::string_view code) {
        for (const auto& defect : prepared.outcome.defects) {
            if (defect.code == code) return true;
        }
        return false;
    }
};

TEST_F(PrepareTest, CleanMailStaysByteForByteUnderTheTrace) {
    const std::string message = head + "\r\nbody\r\n..dots\r\n\r\n";
    const Prepared prepared = accepted(message);
    EXPECT_EQ(below_trace(prepared), message);
    EXPECT_EQ(prepared.envelope.message_id, "<1@example.com>");
    EXPECT_EQ(prepared.envelope.tag, "email");
    EXPECT_EQ(prepared.envelope.klass, Class::transactional);
    EXPECT_EQ(prepared.envelope.body, BodyType::seven_bit);
    EXPECT_EQ(prepared.envelope.size, prepared.body->size());
}

TEST_F(PrepareTest, EditsTouchOnlyTheirFields) {
    const Prepared prepared = accepted(
        "From:ann@example.com\r\nTO:  bob@example.org\r\nsubject: caf\xc3\xa9\r\n"
        "X-Odd:\tkept \r\n as it is\r\n\r\nb\xc3\xb6"
        "dy\r\n");
    EXPECT_EQ(below_trace(prepared),
              "From:ann@example.com\r\nTO:  bob@example.org\r\nsubject: =?UTF-8?B?Y2Fmw6k=?=\r\n"
              "X-Odd:\tkept \r\n as it is\r\n"
              "Date: Tue, 24 Nov 2026 08:15:30 +0000\r\nMessage-ID: <unique@relay.example.net>\r\n"
              "\r\nb\xc3\xb6"
              "dy\r\n");
    EXPECT_EQ(prepared.envelope.body, BodyType::eight_bit);
}

TEST_F(PrepareTest, ReportOnlyNeitherEditsNorRefuses) {
    settings.mode = policy::Mode::report_only;
    const Prepared prepared = accepted("Subject: caf\xc3\xa9\r\n\r\nx\r\n");
    EXPECT_EQ(below_trace(prepared), "Subject: caf\xc3\xa9\r\n\r\nx\r\n");
    EXPECT_EQ(prepared.outcome.verdict.kind, policy::Verdict::Kind::reject);
    EXPECT_TRUE(has_defect(prepared, "H01"));
}

TEST_F(PrepareTest, WhatTheMilterHasJudgedIsNotJudgedAgain) {
    arrival.judge = Judge::judged;
    const Prepared prepared =
        accepted("Subject: caf\xc3\xa9\r\nX-tag: spring\r\nPrecedence: bulk\r\n\r\nx\r\n");
    EXPECT_EQ(below_trace(prepared),
              "Subject: caf\xc3\xa9\r\nX-tag: spring\r\nPrecedence: bulk\r\n\r\nx\r\n");
    EXPECT_EQ(prepared.outcome.verdict.kind, policy::Verdict::Kind::untouched);
    EXPECT_EQ(prepared.envelope.tag, "spring");
    EXPECT_EQ(prepared.envelope.klass, Class::bulk);
}

TEST_F(PrepareTest, TheMiltersTagCounts) {
    arrival.judge = Judge::judged;
    arrival.tag = "from-the-milter";
    EXPECT_EQ(accepted(head + "X-tag: spring\r\n\r\nx\r\n").envelope.tag, "from-the-milter");
}

// The milter sees no body: what it could not judge is judged here.
TEST_F(PrepareTest, TheBodyOfJudgedMailIsMendedAllTheSame) {
    arrival.judge = Judge::judged;
    const Prepared prepared =
        accepted(head + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" +
                 std::string(2000, 'x') + "\r\n");
    EXPECT_TRUE(has_defect(prepared, "H41"));
    EXPECT_EQ(prepared.body->find(std::string(999, 'x')), std::string::npos);
    EXPECT_NE(prepared.body->find("quoted-printable"), std::string::npos);
}

TEST_F(PrepareTest, FieldsForUsAloneAreTakenOut) {
    rules.remove = "X-Millrace-Handover";
    rules.remove_bcc = true;
    const Prepared prepared =
        accepted("X-Millrace-Handover: a\r\n" + head +
                 "Bcc: secret@example.org\r\nX-millrace-handover: b\r\n\r\nx\r\n");
    EXPECT_EQ(below_trace(prepared), head + "\r\nx\r\n");
}

TEST_F(PrepareTest, AZeroByteOfTheHeaderIsMendedOrRefusedNeverStored) {
    const std::string zero(1, '\0');
    const auto with = [](std::string_view line) {
        return head + std::string(line) + "\r\n\r\nx\r\n";
    };
    const std::string mendable = "Comments: a" + zero + "b";
    const Prepared prepared = accepted(with(mendable));
    EXPECT_EQ(prepared.body->find('\0'), std::string::npos);
    EXPECT_NE(prepared.body->find("\r\nComments: ab\r\n"), std::string::npos) << *prepared.body;
    EXPECT_TRUE(has_defect(prepared, "nul"));
    EXPECT_TRUE(refused(with("Cc: a" + zero + "b@example.org")).starts_with("550 5.6.0 "));
    const std::string refusal = "550 5.6.0 Zero byte in the message";
    EXPECT_TRUE(refused(with("Received: from a" + zero + "b")).starts_with(refusal));
    EXPECT_TRUE(
        refused(with("DKIM-Signature: v=1; d=example.com\r\n" + mendable)).starts_with(refusal));
    EXPECT_TRUE(refused(head + "\r\na" + zero + "b\r\n").starts_with(refusal));
    settings.mode = policy::Mode::report_only;
    EXPECT_TRUE(refused(with(mendable)).starts_with(refusal));
    settings.mode = policy::Mode::enforce;
    settings.actions[32] = policy::Action::note;
    EXPECT_TRUE(refused(with(mendable)).starts_with(refusal));
    settings.actions = {};
    for (const Judge judge : {Judge::judged, Judge::bystander}) {
        arrival.judge = judge;
        EXPECT_TRUE(refused(with(mendable)).starts_with(refusal));
    }
}

TEST_F(PrepareTest, BrokenLinesAreRefusedInEveryMode) {
    for (const policy::Mode mode : {policy::Mode::enforce, policy::Mode::report_only}) {
        settings.mode = mode;
        EXPECT_TRUE(refused(head + "\r\na\nb\r\n").starts_with("550 5.6.0 Bare line feed"));
        EXPECT_TRUE(refused(head + "\r\na\rb\r\n").starts_with("550 5.6.0 Bare carriage return"));
        EXPECT_TRUE(refused(head + "X: a\nb\r\n\r\nx\r\n").starts_with("550 5.6.0 Bare line feed"));
        EXPECT_TRUE(refused(head + "\r\na" + std::string(1, '\0') + "b\r\n")
                        .starts_with("550 5.6.0 Zero byte"));
    }
}

TEST_F(PrepareTest, BrokenLinesBecomeCrlfWhenTold) {
    settings.actions[40] = policy::Action::repair;
    EXPECT_EQ(below_trace(accepted(head + "\r\na\nb\rc\r\n")), head + "\r\na\r\nb\r\nc\r\n");
}

TEST_F(PrepareTest, ALineThatMendingMakesInTheHeaderIsJudgedToo) {
    settings.actions[40] = policy::Action::repair;
    EXPECT_TRUE(refused(head + "X: a\rgarbage\r\n\r\nx\r\n")
                    .starts_with("550 5.6.0 Malformed header line"));
}

TEST_F(PrepareTest, AHeaderLineWithoutColonIsRefusedOrBeginsTheBody) {
    EXPECT_TRUE(
        refused(head + "garbage\r\n\r\nx\r\n").starts_with("550 5.6.0 Malformed header line"));
    settings.actions[36] = policy::Action::repair;
    EXPECT_EQ(below_trace(accepted(head + "garbage\r\n\r\nx\r\n")),
              head + "\r\ngarbage\r\n\r\nx\r\n");
}

TEST_F(PrepareTest, LoopsEnd) {
    std::string hops;
    for (std::size_t i = 0; i < hops_max; ++i)
        hops += "Received: by a; Tue, 24 Nov 2026 08:00:00 +0000\r\n";
    EXPECT_EQ(refused(hops + head + "\r\nx\r\n"), "accepted");
    EXPECT_TRUE(refused(hops + "Received: by b\r\n" + head + "\r\nx\r\n").starts_with("554 5.4.6"));
}

TEST_F(PrepareTest, ALoopThroughThisRelayEndsAtTheFourthPass) {
    std::string message = head + "\r\nx\r\n";
    for (std::size_t pass = 1; pass <= passes_max; ++pass) {
        // The MTA behind the route takes it and hands it back.
        message =
            "Received: from relay.example.net (localhost [127.0.0.1])\r\n\tby mx.example.net "
            "(Postfix) with ESMTP id 4ABC; Tue, 24 Nov 2026 08:00:00 +0000\r\n" +
            *accepted(message).body;
    }
    EXPECT_TRUE(refused(message).starts_with(
        "554 5.4.6 Mail loop: the message has been through relay.example.net 3 times already"));
    rules.hostname = "other.example.net";
    EXPECT_EQ(refused(message), "accepted") << "not this relay's passes";
}

TEST_F(PrepareTest, OnlyOurOwnFieldsArePasses) {
    std::string fields;
    for (int i = 0; i < 5; ++i) {
        fields +=
            "Received: from app by xrelay.example.net (Millrace) with ESMTP id 1\r\n"
            "Received: from relay.example.net by mx (Postfix) with ESMTP id 2\r\n"
            "X-Note: by relay.example.net (Millrace) with ESMTP id 3\r\n";
    }
    EXPECT_EQ(refused(fields + head + "\r\nx\r\n"), "accepted");
}

TEST_F(PrepareTest, LimitsOfTheHeaderAnswer552) {
    EXPECT_TRUE(refused("X-Big: " + std::string(60'001, 'x') + "\r\n" + head + "\r\nx\r\n")
                    .starts_with("552 5.3.4"));
}

TEST_F(PrepareTest, SmtpUtf8IsDecidedByWhatIsLeft) {
    arrival.session.smtputf8 = true;
    EXPECT_FALSE(accepted(head + "X-Name: caf\xc3\xa9\r\n\r\nx\r\n").envelope.smtputf8);
    EXPECT_TRUE(accepted(head + "Cc: b\xc3\xb6"
                                "b@example.org\r\n\r\nx\r\n")
                    .envelope.smtputf8);
    arrival.envelope.recipients[0].address =
        "b\xc3\xb6"
        "b@example.org";
    EXPECT_TRUE(accepted(head + "\r\nx\r\n").envelope.smtputf8);
}

TEST_F(PrepareTest, EightBitAddressesWithoutSmtpUtf8AreRefused) {
    EXPECT_TRUE(refused(head + "Cc: b\xc3\xb6"
                               "b@example.org\r\n\r\nx\r\n")
                    .starts_with("550 5.6.7"));
}

TEST_F(PrepareTest, LongBodyLinesAreRefusedAtASubmissionListener) {
    rules.long_lines = LongLines::refuse;
    const std::string body(999, 'x');
    EXPECT_TRUE(refused(head + "\r\n" + body + "\r\n").starts_with("550 5.6.0 Body line over 998"));
    EXPECT_EQ(refused(head + "\r\n" + body.substr(1) + "\r\n"), "accepted");
    arrival.envelope.sender.clear();
    EXPECT_EQ(refused(head + "\r\n" + body + "\r\n"),
              "accepted");  // a refused bounce is a lost one
}

TEST_F(PrepareTest, LongBodyLinesAreReencodedBesideAnMta) {
    const Prepared prepared = accepted(head + "\r\n" + std::string(2000, 'x') + "\r\n");
    EXPECT_TRUE(has_defect(prepared, "H41"));
    EXPECT_NE(prepared.body->find("Content-Transfer-Encoding: quoted-printable\r\n"),
              std::string::npos);
    EXPECT_NE(prepared.body->find("MIME-Version: 1.0\r\n"), std::string::npos);
}

TEST_F(PrepareTest, LongBodyLinesOfSignedMailAreKeptAndNoted) {
    for (const char* seal :
         {"DKIM-Signature: v=1; d=elsewhere.example; b=x\r\n", "List-Id: <l.example>\r\n"}) {
        const std::string message = seal + head + "\r\n" + std::string(2000, 'x') + "\r\n";
        const Prepared prepared = accepted(message);
        EXPECT_EQ(below_trace(prepared), message);
        EXPECT_TRUE(has_defect(prepared, "long-lines-kept"));
    }
}

TEST_F(PrepareTest, AMessageWithoutItsLastLineEndGetsOne) {
    EXPECT_EQ(below_trace(accepted(head + "\r\nx")), head + "\r\nx\r\n");
}

TEST_F(PrepareTest, TraceNamesClientProtocolAndTheOnlyRecipient) {
    Session session{"ehlo.example", "", "2001:db8::1"};
    session.tls_protocol = "TLSv1.3";
    session.tls_cipher = "TLS_AES_256_GCM_SHA384";
    session.tls_bits = 256;
    session.authenticated = true;
    Envelope envelope = arrival.envelope;
    envelope.id = *MessageId::parse(MessageId{123456789}.text());
    EXPECT_EQ(received_field(session, envelope, "relay.example.net", arrival.wall),
              "Received: from ehlo.example (unknown [IPv6:2001:db8::1])\r\n"
              "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits))\r\n"
              "\tby relay.example.net (Millrace) with ESMTPSA id " +
                  envelope.id.text() +
                  "\r\n"
                  "\tfor <bob@example.org>;\r\n"
                  "\tTue, 24 Nov 2026 08:15:30 +0000\r\n");
    envelope.recipients.push_back({"carl@example.org", "example.org", {}, {}});
    EXPECT_EQ(received_field(session, envelope, "h", arrival.wall).find("for <"),
              std::string::npos);
}

TEST_F(PrepareTest, TraceCannotBeForgedByAClient) {
    Session session{"evil)\r\nX-Injected: yes (", "a b", "192.0.2.7"};
    const std::string field = received_field(session, arrival.envelope, "h", arrival.wall);
    const auto block = mail::parse_header_block(field, mail::LineEnd::crlf);
    EXPECT_EQ(block.fields.size(), 1U);
    EXPECT_NE(field.find("from evil???X-Injected:?yes?? (a?b [192.0.2.7])"), std::string::npos)
        << field;
}

TEST_F(PrepareTest, ProtocolWordsAreTheRegisteredOnes) {
    Session session;
    session.extended = false;
    EXPECT_EQ(protocol_of(session), "SMTP");
    session.extended = true;
    EXPECT_EQ(protocol_of(session), "ESMTP");
    session.authenticated = true;
    EXPECT_EQ(protocol_of(session), "ESMTPA");
    session.tls_protocol = "TLSv1.2";
    EXPECT_EQ(protocol_of(session), "ESMTPSA");
    session.smtputf8 = true;
    EXPECT_EQ(protocol_of(session), "UTF8SMTPSA");
}

}  // namespace
}  // namespace millrace::relay
