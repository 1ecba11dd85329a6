#include "relay/attach/sendmail.hpp"

#include <gtest/gtest.h>

#include "common/config/load.hpp"
#include "relay/attach/sendmail_plan.hpp"
#include "sites.hpp"

// Goal: a Sendmail's files and answers are read rightly, and the block and the settings say what
// they should.
namespace millrace::attach {
namespace {

constexpr std::string_view cf =
    "# a comment\n"
    "Cwlocalhost\n"
    "Djmail.garden.test\n"
    "DSrelay:[smtp.provider.test]\n"
    "Kmailertable hash -o /etc/mail/mailertable.db\n"
    "O DaemonPortOptions=Name=MTA, Family=inet, Addr=192.0.2.25, Port=smtp\n"
    "O DaemonPortOptions=Port=587, Name=MSA, M=E\n"
    "O PidFile=/run/sendmail/mta/sendmail.pid\n"
    "O InputMailFilters=opendkim, clamav\n"
    "O MaxMessageSize=100000000\n"
    "Mesmtp,\t\tP=[IPC], F=mDFMuXa, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=990,\n"
    "\t\tT=DNS/RFC822/SMTP,\n"
    "\t\tA=TCP $h\n"
    "Mrelay,\t\tP=[IPC], F=mDFMuXa8, S=EnvFromSMTP/HdrFromSMTP, R=MasqSMTP, E=\\r\\n, L=2040,\n"
    "\t\tT=DNS/RFC822/SMTP,\n"
    "\t\tA=TCP $h 587\n";

/// As `sendmail -bt` of 8.17.1 answers test_questions.
constexpr std::string_view answers =
    "ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)\n"
    "Enter <ruleset> <address>\n"
    "> mail.garden.test\n"
    "> localhost\nGarden.test\n[192.0.2.25]\nmail.garden.test\n"
    "> > lily.test\n10.1\n2001:db8\n"
    "> ";

Sendmail sendmail() {
    auto read = read_cf(cf);
    read.mc = "/etc/mail/sendmail.mc";
    read.cf = "/etc/mail/sendmail.cf";
    read.mc_text = "MAILER(`smtp')dnl\n";
    read_test_mode(answers, read);
    return read;
}

Sendmail without_smart_host() {
    auto read = sendmail();
    read.smart_host.clear();
    return read;
}

std::string block(const Sendmail& read, Step step) {
    auto const plan = plan_sendmail(read, wish(), step);
    EXPECT_TRUE(plan.obstacles.empty()) << plan.obstacles.front();
    return plan.changes.size() == 1 ? plan.changes.front().value : std::string();
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

TEST(Sendmail, TheFileIsTakenApart) {
    auto const read = sendmail();
    EXPECT_EQ(read.option("PidFile"), "/run/sendmail/mta/sendmail.pid");
    EXPECT_EQ(read.option("NoSuch", "otherwise"), "otherwise");
    EXPECT_EQ(read.filters, (std::vector<std::string>{"opendkim", "clamav"}));
    EXPECT_EQ(read.maps.at("mailertable"), "hash -o /etc/mail/mailertable.db");
    EXPECT_TRUE(has(read.mailers.at("relay"), "A=TCP $h 587"));
    EXPECT_EQ(address_of(read).address, "192.0.2.25");
    EXPECT_EQ(address_of(read).port, 25);
}

TEST(Sendmail, TheAnswersAreTakenApart) {
    auto const read = sendmail();
    EXPECT_EQ(read.name, "mail.garden.test");
    EXPECT_EQ(read.domains,
              (std::vector<std::string>{"garden.test", "localhost", "mail.garden.test"}));
    EXPECT_EQ(read.relayed, (std::vector<std::string>{"lily.test", "10.1", "2001:db8"}));
}

TEST(Sendmail, AnswersThatAreMissingAreEmpty) {
    Sendmail read;
    read_test_mode("ADDRESS TEST MODE\n> ", read);
    EXPECT_EQ(read.name, "");
    EXPECT_TRUE(read.domains.empty());
    EXPECT_TRUE(read.relayed.empty());
}

TEST(Sendmail, WhoMayRelayIsTrustedWhenItIsAnAddress) {
    auto read = sendmail();
    read.access_relay = relaying(
        "# comment\nConnect:192.0.2\tRELAY\n10.9.8.7 RELAY\nfriend.test RELAY\nTo:lily.test RELAY\n"
        "Connect:203.0.113 REJECT\nIPv6:2001:db8::1 RELAY\n");
    auto const found = networks_of(read);
    EXPECT_EQ(found.items,
              (std::vector<std::string>{"10.1.0.0/16",
                                        "10.9.8.7/32",
                                        "127.0.0.0/8",
                                        "192.0.2.0/24",
                                        "2001:db8::1",
                                        "::1/128"}));
    EXPECT_EQ(found.opaque, std::vector<std::string>{"friend.test"});
}

TEST(Sendmail, SmartHosts) {
    auto const smart = smart_host_of(sendmail());
    EXPECT_EQ(smart.mailer, "relay");
    EXPECT_EQ(smart.host, "smtp.provider.test");
    EXPECT_EQ(smart.port, 587);
    EXPECT_FALSE(smart.by_mx);
    EXPECT_EQ(smart_host_of(without_smart_host()).host, "");
    auto plain = sendmail();
    plain.smart_host = "provider.test";
    EXPECT_EQ(smart_host_of(plain).mailer, "relay");
    EXPECT_TRUE(smart_host_of(plain).by_mx);
}

TEST(Sendmail, ListeningPassesMailWhenTheGateIsAway) {
    auto const text = block(sendmail(), Step::listening);
    EXPECT_TRUE(has(text, "MAIL_FILTER(`millrace', `S=local:/"));
    EXPECT_FALSE(has(text, "F=T"));
    EXPECT_FALSE(has(text, "SMART_HOST"));
}

TEST(Sendmail, EnforcingMakesMailWaitForTheGate) {
    auto const text = block(sendmail(), Step::enforcing);
    EXPECT_TRUE(has(text, ", F=T, T=C:30s;S:10s;R:60s;E:5m"));
    EXPECT_TRUE(has(text, "define(`SMART_HOST', `millrace:[127.0.0.1]')dnl"));
}

TEST(Sendmail, OurMailerIsTheOneThatCarriedTheMail) {
    EXPECT_TRUE(has(block(sendmail(), Step::enforcing),
                    "Mmillrace,\tP=[IPC], F=mDFMuXa8k, S=EnvFromSMTP/HdrFromSMTP, R=MasqSMTP, "
                    "E=\\r\\n, L=2040, T=DNS/RFC822/SMTP, A=TCP $h 2525\n"));
    EXPECT_TRUE(has(block(without_smart_host(), Step::enforcing),
                    "F=mDFMuXak, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=990"));
}

TEST(Sendmail, RelayDomainsGoTheirOldWay) {
    EXPECT_TRUE(has(block(without_smart_host(), Step::enforcing),
                    "R$* < @ $=R . > $*\t$#esmtp $@ $2 $: $1 < @ $2 . > $3\n"));
    EXPECT_TRUE(has(block(sendmail(), Step::enforcing),
                    "R$* < @ $=R . > $*\t$#relay $@ [smtp.provider.test] $: $1 < @ $2 . > $3\n"));
    auto none = sendmail();
    none.relayed = {"10.1"};
    EXPECT_FALSE(has(block(none, Step::enforcing), "LOCAL_NET_CONFIG"));
}

TEST(Sendmail, SettingsAreSettings) {
    for (auto const step : {Step::listening, Step::enforcing}) {
        auto const plan = plan_sendmail(sendmail(), wish(), step);
        auto const parsed = config::parse(plan.settings, "attached.conf");
        ASSERT_TRUE(parsed) << parsed.error().detail;
        auto const& settings = **parsed;
        EXPECT_EQ(settings.gate.mode,
                  step == Step::listening ? policy::Mode::report_only : policy::Mode::enforce);
        if (step == Step::enforcing) {
            EXPECT_EQ(settings.relay.hostname, "mail.garden.test");
            EXPECT_EQ(settings.relay.attached.address, "192.0.2.25");
            ASSERT_EQ(settings.relay.routes.size(), 1);
            EXPECT_EQ(settings.relay.routes[0].host, "smtp.provider.test");
            EXPECT_EQ(settings.relay.routes[0].port, 587);
            EXPECT_GE(settings.relay.limits.message_size, 100'000'000);
        }
    }
}

TEST(Sendmail, WhatIsInTheWay) {
    auto lines = sendmail();
    lines.mc_text = with_block(lines.mc_text, block(lines, Step::listening));
    EXPECT_TRUE(says(plan_sendmail(lines, wish(), Step::listening).obstacles, "no record"));
    auto named = sendmail();
    named.filters = {"millrace"};
    EXPECT_TRUE(says(plan_sendmail(named, wish(), Step::listening).obstacles, "already"));
    auto mute = sendmail();
    mute.mailers.clear();
    EXPECT_TRUE(says(plan_sendmail(mute, wish(), Step::enforcing).obstacles, "MAILER(`smtp')"));
}

TEST(Sendmail, TheBlockComesAndGoes) {
    auto const first = block(sendmail(), Step::listening);
    auto const second = block(sendmail(), Step::enforcing);
    std::string const mc = "OSTYPE(`linux')dnl\nMAILER(`smtp')dnl\n";
    EXPECT_EQ(with_block(with_block(mc, first), second), mc + second);
    EXPECT_EQ(with_block(with_block(mc, second), {}), mc);
    EXPECT_TRUE(has_block(with_block(mc, first)));
    EXPECT_FALSE(has_block(mc));
    // Whatever was put behind it by hand stays.
    EXPECT_EQ(with_block(with_block(mc, first) + "dnl mine\n", {}), mc + "dnl mine\n");
    EXPECT_EQ(with_block("no line end", {}), "no line end");
}

TEST(Sendmail, OnlyCommentsAndBlanksDoNotCount) {
    EXPECT_EQ(significant("# built on Monday\n\nDSx\n"), significant("# built on Tuesday\nDSx\n"));
    EXPECT_NE(significant("DSx\n"), significant("DSy\n"));
}

}  // namespace
}  // namespace millrace::attach
