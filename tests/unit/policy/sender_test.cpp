#include <gtest/gtest.h>

#include "tests/unit/policy/gate_case.hpp"

// Goal: the Sender rule does what its table (common/policy/README.md) says, row by row.
namespace millrace::policy::test {
namespace {

constexpr std::string_view ours = "Sender: postmaster@relay.example.net\n";

std::string with_from(std::string_view from) {
    return clean_but("From", "From: " + std::string(from) + "\n");
}

std::string mended(std::string block) {
    return GateCase(std::move(block)).knowing("example.com").result();
}

TEST(SenderTest, SleepsUntilADomainIsKnown) {
    const std::string block = with_from("ann@unknown.example");
    EXPECT_EQ(GateCase(block).result(), block);
}

TEST(SenderTest, KnownFromNeedsNone) {
    EXPECT_EQ(mended(std::string(clean)), clean);
    EXPECT_EQ(mended(with_from("ann@mail.example.com")), with_from("ann@mail.example.com"));
    EXPECT_EQ(mended(with_from("ann@EXAMPLE.com")), with_from("ann@EXAMPLE.com"));
}

TEST(SenderTest, UnknownFromGetsOurs) {
    const std::string block = with_from("ann@unknown.example");
    EXPECT_EQ(mended(block), block + std::string(ours));
}

TEST(SenderTest, LiteralsAndSingleLabelsAreUnknown) {
    const std::string literal = with_from("ann@[192.0.2.1]");
    EXPECT_EQ(mended(literal), literal + std::string(ours));
    const std::string label = with_from("ann@localhost");
    EXPECT_EQ(mended(label), label + std::string(ours));
}

TEST(SenderTest, AParentOfAKnownDomainIsUnknown) {
    const std::string block = with_from("ann@example.com");
    EXPECT_EQ(GateCase(block).knowing("mail.example.com").result(), block + std::string(ours));
    const std::string trap = with_from("ann@notexample.com");
    EXPECT_EQ(mended(trap), trap + std::string(ours));
}

TEST(SenderTest, KnownFromKeepsAnEqualOrKnownSender) {
    for (const char* sender : {"Sender: ann@example.com\n", "Sender: list@mail.example.com\n"}) {
        const std::string block = clean_and(sender);
        EXPECT_EQ(mended(block), block);
    }
}

TEST(SenderTest, KnownFromKeepsAnUnknownSenderWithADefect) {
    GateCase c(clean_and("Sender: x@unknown.example\n"));
    c.knowing("example.com");
    const Outcome outcome = c.run();
    EXPECT_TRUE(outcome.edits.empty());
    EXPECT_TRUE(has_defect(outcome, "sender-unverified"));
}

TEST(SenderTest, UnknownFromKeepsAKnownSender) {
    const std::string block = with_from("ann@unknown.example") + "Sender: x@example.com\n";
    EXPECT_EQ(mended(block), block);
    const std::string again = with_from("ann@unknown.example") + std::string(ours);
    EXPECT_EQ(mended(again), again);
}

TEST(SenderTest, UnknownFromReplacesAnUnknownSenderAndKeepsItAside) {
    const std::string from = with_from("ann@unknown.example");
    EXPECT_EQ(mended(from + "Sender: X <x@unknown.example>\n"),
              from + std::string(ours) + "X-Original-Sender: X <x@unknown.example>\n");
}

TEST(SenderTest, RejectsWhenToldTo) {
    GateCase c(with_from("ann@unknown.example"));
    c.knowing("example.com").settings.unverified_from = UnverifiedFrom::reject;
    EXPECT_TRUE(c.result().starts_with("550 5.7.1 Unverified domain in From")) << c.result();
    EXPECT_TRUE(c.result().ends_with(" [MR-FROM]"));
    c.from(Origin::local);
    EXPECT_EQ(c.run().verdict, Verdict{});
}

TEST(SenderTest, BouncesGetNone) {
    GateCase c(with_from("ann@unknown.example"));
    c.knowing("example.com").envelope.mail_from = {};
    EXPECT_TRUE(c.run().edits.empty());
}

TEST(SenderTest, SeveralKnownAuthorsGetTheFirstAsSender) {
    const std::string from = with_from("ann@example.com, bob@example.com");
    GateCase known(from);
    EXPECT_EQ(known.knowing("example.com").with(Check::from_several, Action::repair).result(),
              from + "Sender: ann@example.com\n");
    const std::string mixed = with_from("ann@example.com, bob@unknown.example");
    GateCase unknown(mixed);
    EXPECT_EQ(unknown.knowing("example.com").with(Check::from_several, Action::repair).result(),
              mixed + std::string(ours));
}

TEST(SenderTest, SealedMailIsOnlyNoted) {
    for (const char* seal : {"List-Id: <l.example.net>\n",
                             "Resent-From: r@example.net\n",
                             "DKIM-Signature: v=1; a=rsa-sha256; d=unknown.example; s=x; b=abc\n",
                             "DKIM-Signature: v=1;\n\t d = Example ;\n\tb=abc\n"}) {
        GateCase c(with_from("ann@mail.unknown.example") + seal);
        c.knowing("example.com");
        const Outcome outcome = c.run();
        EXPECT_TRUE(has_defect(outcome, "from-unverified"));
        const bool sealed = std::string_view(seal).find("Example") == std::string_view::npos;
        EXPECT_EQ(outcome.edits.empty(), sealed) << seal;
    }
}

TEST(SenderTest, AForeignSignatureSealsNothing) {
    const std::string block =
        with_from("ann@unknown.example") + "DKIM-Signature: v=1; d=esp.example; s=x; b=abc\n";
    EXPECT_EQ(mended(block), block + std::string(ours));
}

TEST(SenderTest, TriggerMayBeTheEnvelope) {
    GateCase c{std::string(clean)};
    c.knowing("example.com").settings.trigger = SenderTrigger::mail_from;
    EXPECT_TRUE(c.run().edits.empty());
    c.envelope.mail_from = "bounce@unknown.example";
    EXPECT_EQ(c.result(), clean_and(ours));
    GateCase either(with_from("ann@unknown.example"));
    either.knowing("example.com").settings.trigger = SenderTrigger::either;
    EXPECT_EQ(either.result(), either.block + std::string(ours));
}

TEST(SenderTest, InternationalDomainsAreComparedAsALabels) {
    GateCase c(with_from("ann@xn--bcher-kva.example"));
    EXPECT_TRUE(c.knowing("B\xc3\xbc"
                          "cher.example")
                    .run()
                    .edits.empty());
}

struct KnownRow {
    const char* text;
    KnownSender::Scope scope;
    const char* name;
};

TEST(KnownSenderTest, ParsesItsFourForms) {
    using enum KnownSender::Scope;
    for (const KnownRow& row : {KnownRow{"Example.COM", with_subdomains, "example.com"},
                                KnownRow{" =example.com. ", exact, "example.com"},
                                KnownRow{"*.example.com", only_subdomains, "example.com"},
                                KnownRow{"Ann@Example.com", mailbox, "ann@example.com"},
                                KnownRow{"b\xc3\xbc"
                                         "cher.de",
                                         with_subdomains,
                                         "xn--bcher-kva.de"}}) {
        const auto known = parse_known_sender(row.text);
        ASSERT_TRUE(known) << row.text;
        EXPECT_EQ(known->scope, row.scope) << row.text;
        EXPECT_EQ(known->name, row.name);
    }
    for (const char* text : {"",
                             "com",
                             "*",
                             "*.",
                             "=",
                             "a b.com",
                             "@example.com",
                             "ann@",
                             "[192.0.2.1]",
                             "ann@localhost",
                             "exa_mple..com"}) {
        EXPECT_FALSE(parse_known_sender(text)) << text;
    }
}

TEST(KnownSenderTest, ScopesMeanWhatTheySay) {
    const auto edits = [](std::string_view from, std::string_view known) {
        return GateCase(with_from(from)).knowing(known).run().edits.size();
    };
    EXPECT_EQ(edits("a@example.com", "=example.com"), 0U);
    EXPECT_EQ(edits("a@x.example.com", "=example.com"), 1U);
    EXPECT_EQ(edits("a@x.example.com", "*.example.com"), 0U);
    EXPECT_EQ(edits("a@example.com", "*.example.com"), 1U);
    EXPECT_EQ(edits("Ann@example.com", "ann@example.com"), 0U);
    EXPECT_EQ(edits("bob@example.com", "ann@example.com"), 1U);
    EXPECT_EQ(edits("xann@example.com", "ann@example.com"), 1U);
}

}  // namespace
}  // namespace millrace::policy::test
