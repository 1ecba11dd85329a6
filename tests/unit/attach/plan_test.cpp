#include "relay/attach/plan.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "common/config/load.hpp"
#include "relay/attach/site.hpp"
#include "sites.hpp"

// Goal: for every site the plan changes exactly what it should, says so, and its settings are
// settings.
namespace millrace::attach {
namespace {

using Where = Change::Where;

Plan listening(const std::string& name) {
    return plan_listening(site(name), wish());
}

/// Step two as it happens: on what step one has left.
Plan enforcing(const std::string& name, const Scope& scope = {}) {
    auto wanted = wish();
    wanted.scope = scope;
    auto const postfix = site(name);
    return plan_enforcing(applied(postfix, plan_listening(postfix, wanted).changes), wanted);
}

config::Snapshot settings_of(const Plan& plan) {
    auto const parsed = config::parse(plan.settings, "attached.conf");
    if (!parsed) {
        ADD_FAILURE() << parsed.error().detail << "\n" << plan.settings;
        return *config::parse("", "nothing");
    }
    return *parsed;
}

class EverySite : public testing::TestWithParam<std::string> {
  protected:
    std::vector<Scope> scopes() const {
        return {{}, {{"shop.test", "branch.test"}, {}}, {{}, {"warehouse.test"}}};
    }
};

TEST_P(EverySite, SettingsOfBothStepsAreSettings) {
    auto const first = settings_of(listening(GetParam()));
    EXPECT_EQ(first->gate.mode, policy::Mode::report_only);
    for (auto const& scope : scopes()) {
        auto const second = settings_of(enforcing(GetParam(), scope));
        EXPECT_EQ(second->gate.mode, policy::Mode::enforce);
        EXPECT_EQ(second->milter.only_from, scope.senders);
        EXPECT_EQ(second->milter.only_to, scope.domains);
    }
}

TEST_P(EverySite, StepTwoIsTheSameWhetherStepOneWasTakenOrNot) {
    if (GetParam() == "left-over") {
        return;
    }
    for (auto const& scope : scopes()) {
        auto wanted = wish();
        wanted.scope = scope;
        auto const postfix = site(GetParam());
        auto const direct = plan_enforcing(postfix, wanted);
        auto const after = enforcing(GetParam(), scope);
        EXPECT_EQ(direct.changes, after.changes);
        EXPECT_EQ(direct.files, after.files);
        EXPECT_EQ(direct.settings, after.settings);
        EXPECT_EQ(direct.stays, after.stays);
    }
}

TEST_P(EverySite, PostconfTakesEveryChange) {
    auto const postfix = site(GetParam());
    for (auto const& plan : {listening(GetParam()), enforcing(GetParam())}) {
        for (auto const& change : plan.changes) {
            EXPECT_EQ(change.value.find('\n'), std::string::npos) << change.name;
            if (change.where == Where::option) {
                EXPECT_EQ(change.value.find_first_of(" \t"), std::string::npos) << change.name;
                auto const key = change.name.substr(0, change.name.rfind('/'));
                EXPECT_TRUE(key == "millrace/unix" || postfix.service(key)) << key;
            }
            if (change.where == Where::main && change.name.starts_with(own_prefix)) {
                EXPECT_EQ(change.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"
                                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                          std::string::npos)
                    << change.name;
            }
        }
    }
}

/// What smtpd asks for a client of our own, after the plan.
std::string milters_after(const Postfix& after, const Plan& plan, const Service& service) {
    auto const maps = after.get("smtpd_milter_maps", service);
    auto const file = plan.files.find(maps.starts_with("cidr:") ? maps.substr(5) : "");
    if (file == plan.files.end()) {
        return after.get("smtpd_milters", service);
    }
    for (std::size_t begin = 0; begin < file->second.size();) {
        auto const end = file->second.find('\n', begin);
        auto const line = file->second.substr(begin, end - begin);
        if (!line.starts_with('#')) {
            return line.substr(line.find(' ') + 1);
        }
        begin = end + 1;
    }
    return after.get("smtpd_milters", service);  // nobody is ours
}

TEST_P(EverySite, EveryMilterThatWasThereStillIsBehindOurs) {
    auto const before = site(GetParam());
    if (GetParam() == "left-over") {
        return;
    }
    for (auto const& plan : {listening(GetParam()), enforcing(GetParam())}) {
        auto const after = applied(before, plan.changes);
        auto const ours = value_of(plan, "millrace_milter");
        for (auto const& door : doors_of(before)) {
            auto const old = elements(before.get("smtpd_milters", *door.service));
            auto const now =
                elements(milters_after(after, plan, *after.service(door.service->key())));
            bool const with_us = !now.empty() && now.front() == ours;
            EXPECT_EQ(std::vector<std::string>(now.begin() + (with_us ? 1 : 0), now.end()), old)
                << door.service->key();
        }
        auto const others = elements(before.get("non_smtpd_milters"));
        auto const now = elements(after.get("non_smtpd_milters"));
        ASSERT_EQ(now.size(), others.size() + 1);
        EXPECT_EQ(now.front(), ours);
    }
}

TEST_P(EverySite, AStrangerOnAPortWithoutLoginsNeverMeetsTheMilter) {
    auto const before = site(GetParam());
    auto const plan = enforcing(GetParam());
    auto const after = applied(before, plan.changes);
    for (auto const& door : doors_of(before)) {
        if (door.kind != Door::Kind::submission && !door.logins) {
            auto const milters = after.get("smtpd_milters", *after.service(door.service->key()));
            EXPECT_EQ(milters.find("millrace"), std::string::npos) << door.service->key();
        }
    }
}

INSTANTIATE_TEST_SUITE_P(PlanTest,
                         EverySite,
                         testing::ValuesIn(site_names()),
                         [](const auto& info) {
                             auto name = info.param;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

// --- the exact changes
// ----------------------------------------------------------------------------

const std::string accept =
    "{ unix:millrace/milter.sock, connect_timeout=5s, command_timeout=10s, content_timeout=60s, "
    "protocol=6, default_action=accept }";
const std::string tempfail =
    "{ unix:millrace/milter.sock, connect_timeout=5s, command_timeout=10s, content_timeout=60s, "
    "protocol=6, default_action=tempfail }";

TEST(PlanTest, ListeningChangesTheMiltersAndNothingElse) {
    EXPECT_EQ(
        listening("submission").changes,
        (std::vector<Change>{
            {Where::main, "millrace_milter", accept},
            {Where::main, "non_smtpd_milters", "$millrace_milter"},
            {Where::option,
             "smtp/inet/smtpd_milter_maps",
             "cidr:/etc/postfix/millrace-clients.cidr"},
            {Where::main, "millrace_submission_milters", "$millrace_milter"},
            {Where::option, "submission/inet/smtpd_milters", "$millrace_submission_milters"},
            {Where::main, "millrace_submissions_milters", "$millrace_milter"},
            {Where::option, "submissions/inet/smtpd_milters", "$millrace_submissions_milters"}}));
}

TEST(PlanTest, EnforcingAddsTheTransportAndTheWayToIt) {
    auto const plan = enforcing("debian");
    EXPECT_EQ(
        plan.changes,
        (std::vector<Change>{{Where::main, "millrace_milter", tempfail},
                             {Where::main, "non_smtpd_milters", "$millrace_milter"},
                             {Where::option,
                              "smtp/inet/smtpd_milter_maps",
                              "cidr:/etc/postfix/millrace-clients.cidr"},
                             {Where::service, "millrace/unix", "millrace unix - - y - - smtp"},
                             {Where::option, "millrace/unix/syslog_name", "postfix/millrace"},
                             {Where::option, "millrace/unix/smtp_send_xforward_command", "yes"},
                             {Where::option, "millrace/unix/smtp_tls_security_level", "none"},
                             {Where::option, "millrace/unix/smtp_tls_policy_maps", ""},
                             {Where::option, "millrace/unix/smtp_sasl_auth_enable", "no"},
                             {Where::option, "millrace/unix/smtp_bind_address", "127.0.0.1"},
                             {Where::option, "millrace/unix/smtp_bind_address6", ""},
                             {Where::option, "millrace/unix/inet_protocols", "ipv4"},
                             {Where::option, "millrace/unix/smtp_fallback_relay", ""},
                             {Where::option, "millrace/unix/smtp_connect_timeout", "30s"},
                             {Where::main, "default_transport", "millrace:[127.0.0.1]:2525"}}));
    EXPECT_TRUE(plan.obstacles.empty());
    EXPECT_EQ(plan.files.at("/etc/postfix/millrace-clients.cidr"),
              "# Written by `millrace attach`: whose mail the gate sees on port 25.\n"
              "# Everybody else's passes as if it were not there.\n"
              "127.0.0.0/8 " +
                  tempfail + "\n::1/128 " + tempfail + "\n::ffff:127.0.0.0/104 " + tempfail + "\n");
}

TEST(PlanTest, TheSettingsAsText) {
    EXPECT_EQ(listening("debian").settings,
              "# Written by `millrace attach` for the Postfix of /etc/postfix.\n"
              "# Read beneath millrace.conf, which wins. `millrace detach` takes it away.\n"
              "milter = {\n"
              "  socket = \"unix:/var/spool/postfix/millrace/milter.sock\";\n"
              "  trusted = [ \"127.0.0.0/8\", \"::1/128\", \"::ffff:127.0.0.0/104\" ];\n"
              "  message_log = \"/var/log/millrace/gate.jsonl\";\n"
              "};\n"
              "gate = { mode = \"report-only\"; };\n");
    EXPECT_EQ(
        enforcing("bind-address").settings,
        "# Written by `millrace attach` for the Postfix of /etc/postfix.\n"
        "# Read beneath millrace.conf, which wins. `millrace detach` takes it away.\n"
        "milter = {\n"
        "  socket = \"unix:/var/spool/postfix/millrace/milter.sock\";\n"
        "  trusted = [ \"127.0.0.0/8\", \"::1/128\", \"::ffff:127.0.0.0/104\" ];\n"
        "  message_log = \"/var/log/millrace/gate.jsonl\";\n"
        "  handover_key = \"/etc/millrace/attached/handover.key\";\n"
        "};\n"
        "gate = { mode = \"enforce\"; };\n"
        "relay = {\n"
        "  hostname = \"out.garden.test\";\n"
        "  attached = { domains = [ \"garden.test\", \"localhost\", \"localhost.garden.test\", "
        "\"mail.garden.test\" ]; address = \"127.0.0.1\"; port = 25; };\n"
        "  sources = ( { address = \"192.0.2.25\"; }, { address = \"2001:db8::25\"; } );\n"
        "  delivery = { ipv6 = true; };\n"
        "  handover_key = \"/etc/millrace/attached/handover.key\";\n"
        "  wake = [ \"/usr/sbin/postqueue\", \"-c\", \"/etc/postfix\", \"-f\" ];\n"
        "};\n");
}

TEST(PlanTest, WhoLogsInOnPort25MeetsTheMilterThere) {
    auto const plan = listening("sasl-on-25");
    EXPECT_EQ(value_of(plan, "smtp/inet/smtpd_milters"), "$millrace_smtp_milters");
    EXPECT_TRUE(plan.files.empty());
    EXPECT_TRUE(says(plan.passes, "smtp/inet: mail of those who log in"));
}

TEST(PlanTest, PostscreenHandsToASmtpdThatAsksByClient) {
    auto const plan = listening("postscreen");
    EXPECT_EQ(value_of(plan, "smtpd/pass/smtpd_milter_maps"),
              "cidr:/etc/postfix/millrace-clients.cidr");
    EXPECT_EQ(value_of(plan, "smtp/inet/smtpd_milter_maps"), "");
}

TEST(PlanTest, WhatAContentFilterHandsBackIsLeftAlone) {
    auto const plan = listening("content-filter");
    EXPECT_TRUE(std::ranges::none_of(plan.changes, [](const Change& change) {
        return change.name.starts_with("127.0.0.1:10025/");
    }));
    EXPECT_TRUE(says(plan.stays, "127.0.0.1:10025/inet: what a content filter hands back"));
    EXPECT_TRUE(says(plan.stays, "content filter (smtp-amavis:[127.0.0.1]:10024) first"));
}

TEST(PlanTest, MilterMapsOfTheirOwnAreLeftAlone) {
    auto const plan = listening("milter-maps");
    EXPECT_EQ(value_of(plan, "smtp/inet/smtpd_milter_maps"), "");
    EXPECT_TRUE(says(plan.stays, "smtpd_milter_maps of its own"));
}

TEST(PlanTest, MiltersInFrontOfOthers) {
    auto const brace =
        "{ inet:localhost:8891, default_action=accept }, unix:/run/rspamd/milter.sock";
    auto const plan = listening("opendkim-braces");
    EXPECT_EQ(value_of(plan, "non_smtpd_milters"), "$millrace_milter, $smtpd_milters");
    EXPECT_EQ(value_of(plan, "millrace_submission_milters"),
              std::string("$millrace_milter, ") + brace);
    EXPECT_NE(plan.files.at("/etc/postfix/millrace-clients.cidr").find(accept + ", " + brace),
              std::string::npos);
    EXPECT_EQ(value_of(listening("opendkim-submission"), "millrace_submission_milters"),
              "$millrace_milter, $mua_milters");
    EXPECT_EQ(value_of(listening("opendkim-submission"), "millrace_submissions_milters"),
              "$millrace_milter, unix:private/opendkim, inet:localhost:11332");
}

/// A table is read as it stands: Postfix replaces no $name in what a look-up returns.
TEST(PlanTest, NoNameOfAParameterInTheTableOfClients) {
    auto postfix = site("opendkim-submission");
    for (auto& service : postfix.services) {
        if (service.key() == "smtp/inet") {
            service.options["smtpd_milters"] = "$mua_milters";
        }
    }
    for (auto const& [path, text] : plan_listening(postfix, wish()).files) {
        EXPECT_EQ(text.find('$'), std::string::npos) << text;
        EXPECT_NE(text.find("unix:private/opendkim"), std::string::npos) << text;
    }
}

/// Two doors for strangers, and only one of them has a milter of its own.
TEST(PlanTest, EachDoorKeepsItsOwnMilters) {
    auto postfix = site("addresses");
    for (auto& service : postfix.services) {
        if (service.key() == "[::1]:2500/inet") {
            service.options["smtpd_milters"] = "inet:localhost:8891";
        }
    }
    auto const plan = plan_listening(postfix, wish());
    auto const one = value_of(plan, "192.0.2.25:25/inet/smtpd_milter_maps");
    auto const two = value_of(plan, "[::1]:2500/inet/smtpd_milter_maps");
    ASSERT_NE(one, two);
    EXPECT_EQ(plan.files.at(one.substr(5)).find("8891"), std::string::npos);
    EXPECT_NE(plan.files.at(two.substr(5)).find("8891"), std::string::npos);
    auto const again = plan_enforcing(applied(postfix, plan.changes), wish());
    EXPECT_EQ(value_of(again, "[::1]:2500/inet/smtpd_milter_maps"), two);
}

TEST(PlanTest, AClientThatIsExcludedIsNotOurs) {
    auto const plan = enforcing("networks");
    auto const settings = settings_of(plan);
    boost::system::error_code none;
    auto const trusted = [&](const char* address) {
        return std::ranges::any_of(settings->milter.trusted, [&](const Network4or6& network) {
            return network.contains(boost::asio::ip::make_address(address, none));
        });
    };
    EXPECT_TRUE(trusted("192.0.2.8"));
    EXPECT_FALSE(trusted("192.0.2.9"));
    EXPECT_TRUE(trusted("192.0.2.10"));
    EXPECT_TRUE(trusted("192.0.2.255"));
    EXPECT_FALSE(trusted("203.0.113.9"));
    EXPECT_TRUE(says(plan.advice, "mynetworks has cidr:/etc/postfix/office.cidr"));
}

TEST(PlanTest, WithoutNetworksNobodyIsTrustedByAddress) {
    for (auto const* name : {"no-networks", "only-table-networks"}) {
        auto const settings = settings_of(enforcing(name));
        boost::system::error_code none;
        for (auto const* address : {"127.0.0.1", "::1", "192.0.2.1"}) {
            EXPECT_TRUE(std::ranges::none_of(settings->milter.trusted,
                                             [&](const Network4or6& network) {
                                                 return network.contains(
                                                     boost::asio::ip::make_address(address, none));
                                             }))
                << name << " " << address;
        }
    }
}

// --- what is carried over
// ---------------------------------------------------------------------------

const config::Route& route_of(const config::Snapshot& settings) {
    return settings->relay.routes.at(0);
}

TEST(PlanTest, ASmartHostWithItsLogin) {
    auto const plan = enforcing("relayhost-login-may");
    auto const settings = settings_of(plan);
    EXPECT_EQ(route_of(settings),
              (config::Route{"*",
                             "smarthost.test",
                             587,
                             config::TlsLevel::encrypt,
                             "garden",
                             "/etc/millrace/attached/smarthost.password"}));
    EXPECT_EQ(plan.password, "se\"cret:\\1");
    EXPECT_EQ(plan.settings.find("cret"), std::string::npos);
    EXPECT_TRUE(says(plan.advice, "the password of the smart host goes over TLS only"));
    EXPECT_FALSE(
        says(enforcing("relayhost-login-encrypt").advice, "the password of the smart host"));
}

TEST(PlanTest, TheSmartHostInEveryForm) {
    auto const host = [](const std::string& name) {
        auto const settings = settings_of(enforcing(name));
        return route_of(settings).host + " " + std::to_string(route_of(settings).port);
    };
    EXPECT_EQ(host("relayhost-mx-port"), "smarthost.test 2525");
    EXPECT_EQ(host("relayhost-ipv6"), "2001:db8::25 2525");
    EXPECT_EQ(host("relayhost-service"), "smarthost.test 587");
    EXPECT_EQ(host("relayhost-several"), "one.smarthost.test 587");
    EXPECT_TRUE(says(enforcing("relayhost-several").advice, "only the first"));
    EXPECT_TRUE(says(enforcing("relayhost-mx").advice, "without brackets means its MX"));
    auto const none = settings_of(enforcing("relayhost-none"));
    EXPECT_EQ(route_of(none).tls, config::TlsLevel::none);
}

TEST(PlanTest, SettingsThatNoDaemonReadsAreInTheWay) {
    auto postfix = site("relayhost-none");
    for (auto const* host : {"[smarthost.test]:nonsense", "[:::1]", "a_b!c"}) {
        postfix.expanded["relayhost"] = host;
        EXPECT_TRUE(says(plan_enforcing(postfix, wish()).obstacles, "cannot be carried over"))
            << host;
    }
    postfix = site("bind-address");
    postfix.expanded["smtp_bind_address"] = "mail.garden.test";
    EXPECT_TRUE(says(plan_enforcing(postfix, wish()).obstacles, "cannot be carried over"));
}

TEST(PlanTest, NoTlsLevelIsLoweredUnsaid) {
    for (auto const* name : {"dane-only", "relayhost-login-secure", "relayhost-fingerprint"}) {
        EXPECT_TRUE(says(enforcing(name).obstacles, "the relay cannot promise that")) << name;
        EXPECT_TRUE(enforcing(name, {{}, {"warehouse.test"}}).obstacles.empty()) << name;
    }
    auto const one = Scope{{}, {"warehouse.test"}};
    for (auto const* name : {"relayhost-login-secure", "relayhost-fingerprint"}) {
        auto const settings = settings_of(enforcing(name, one));
        EXPECT_EQ(route_of(settings).tls, config::TlsLevel::verify) << name;
    }
    EXPECT_EQ(settings_of(enforcing("dane-only", one))->relay.delivery.tls,
              config::TlsLevel::verify);
    EXPECT_TRUE(says(enforcing("dane").advice, "does not check DANE yet"));
}

/// `smtp unix … smtp -o smtp_bind_address=…` is how many say it.
TEST(PlanTest, OptionsOfTheSmtpServiceCount) {
    auto postfix = site("debian");
    for (auto& service : postfix.services) {
        if (service.key() == "smtp/unix") {
            service.options["smtp_bind_address"] = "192.0.2.77";
            service.options["smtp_helo_name"] = "smtp.garden.test";
            service.options["smtp_tls_security_level"] = "encrypt";
        }
    }
    auto const settings = settings_of(plan_enforcing(postfix, wish()));
    ASSERT_EQ(settings->relay.sources.size(), 1U);
    EXPECT_EQ(settings->relay.sources[0].address, "192.0.2.77");
    EXPECT_EQ(settings->relay.hostname, "smtp.garden.test");
    EXPECT_EQ(settings->relay.delivery.tls, config::TlsLevel::encrypt);
}

TEST(PlanTest, ANameThatIsNoneIsSaidAndNotCarried) {
    auto const plan = enforcing("helo-without-dot");
    EXPECT_EQ(plan.settings.find("hostname"), std::string::npos);
    EXPECT_FALSE(says(plan.carried, "EHLO"));
    EXPECT_TRUE(says(plan.advice, "smtp_helo_name = mail"));
}

TEST(PlanTest, TheSizeLimitIsNeverBelowPostfixs) {
    EXPECT_GE(settings_of(enforcing("large-size-limit"))->relay.limits.message_size, 209'715'200U);
    EXPECT_EQ(settings_of(enforcing("no-size-limit"))->relay.limits.message_size,
              std::uint64_t{1} << 30);
    EXPECT_EQ(enforcing("debian").settings.find("message_size"), std::string::npos);
}

// --- which mail takes the new way ---------------------------------------------------------------

TEST(PlanTest, OneCompanysMail) {
    auto const plan = enforcing("sender-relayhost", {{"shop.test"}, {}});
    EXPECT_EQ(value_of(plan, "default_transport"), "");
    EXPECT_EQ(value_of(plan, "sender_dependent_default_transport_maps"),
              "hash:/etc/postfix/by_sender, "
              "pipemap:{hash:/etc/postfix/senders, static:smtp}, "
              "pipemap:{regexp:/etc/postfix/more, static:smtp}, "
              "inline:{ {@shop.test = millrace:[127.0.0.1]:2525} }");
}

TEST(PlanTest, OneDestination) {
    auto const plan = enforcing("transport-maps", {{}, {"warehouse.test", "rose.test"}});
    EXPECT_EQ(value_of(plan, "default_transport"), "");
    EXPECT_EQ(value_of(plan, "transport_maps"),
              "hash:/etc/postfix/transport, inline:{ {warehouse.test = millrace:[127.0.0.1]:2525}, "
              "{rose.test = millrace:[127.0.0.1]:2525} }");
}

TEST(PlanTest, SendersWithASmartHostKeepIt) {
    auto const plan = enforcing("sender-relayhost");
    EXPECT_EQ(value_of(plan, "default_transport"), "millrace:[127.0.0.1]:2525");
    EXPECT_EQ(value_of(plan, "sender_dependent_default_transport_maps"),
              "hash:/etc/postfix/by_sender, pipemap:{hash:/etc/postfix/senders, static:smtp}, "
              "pipemap:{regexp:/etc/postfix/more, static:smtp}");
    EXPECT_TRUE(says(plan.stays, "senders with a smart host of their own"));
}

TEST(PlanTest, DestinationsWithATlsPolicyStayOnPostfix) {
    EXPECT_EQ(value_of(enforcing("tls-policy"), "transport_maps"),
              "pipemap:{hash:/etc/postfix/tls_policy, static:{smtp:}}");
    EXPECT_EQ(value_of(enforcing("transport-maps"), "transport_maps"),
              "hash:/etc/postfix/transport, pipemap:{hash:/etc/postfix/tls, static:{smtp:}}");
    EXPECT_TRUE(says(enforcing("transport-maps").stays, "destinations in transport_maps"));
}

TEST(PlanTest, ADefaultTransportOfTheirOwnIsInTheWayOfAllMailOnly) {
    EXPECT_TRUE(says(enforcing("own-default-transport").obstacles,
                     "default_transport = smtp:[elsewhere.test]:2525"));
    EXPECT_TRUE(listening("own-default-transport").obstacles.empty());
    EXPECT_TRUE(enforcing("own-default-transport", {{}, {"warehouse.test"}}).obstacles.empty());
}

TEST(PlanTest, TracesWithoutARecordAreInTheWay) {
    EXPECT_TRUE(says(listening("left-over").obstacles, "there is no record of an attachment"));
}

TEST(PlanTest, TheListenerIsWhereTheSettingsSay) {
    auto wanted = wish();
    wanted.settings = *config::parse(
        "relay = { listeners = ( { address = \"127.0.0.3\"; port = 2600; profile = \"attached\"; } "
        "); };",
        "own");
    EXPECT_EQ(value_of(plan_enforcing(site("debian"), wanted), "default_transport"),
              "millrace:[127.0.0.3]:2600");
    wanted.settings = *config::parse(
        "relay = { listeners = ( { address = \"127.0.0.1\"; port = 587; profile = \"submission\"; "
        "} ); };",
        "own");
    EXPECT_TRUE(says(plan_listening(site("debian"), wanted).obstacles, "profile `attached`"));
}

TEST(PlanTest, TheModeOfTheOperatorsOwnFile) {
    auto wanted = wish();
    wanted.mode_given = true;
    wanted.settings = *config::parse("gate = { mode = \"enforce\"; };", "own");
    EXPECT_TRUE(says(plan_listening(site("debian"), wanted).obstacles, "attach sets the mode"));
    wanted.settings = *config::parse("gate = { mode = \"report-only\"; };", "own");
    EXPECT_TRUE(plan_listening(site("debian"), wanted).obstacles.empty());
    EXPECT_TRUE(says(plan_enforcing(site("debian"), wanted).advice, "goes on changing nothing"));
}

TEST(PlanTest, QuotesAndControlCharactersStayInsideTheirValue) {
    auto wanted = wish();
    wanted.message_log = "/var/log/a \"b\" \\c\tд/gate.jsonl";
    EXPECT_EQ(settings_of(plan_listening(site("debian"), wanted))->milter.message_log,
              wanted.message_log);
    auto postfix = site("relayhost-login-may");
    postfix.login = "user\";\x01\x7f\r}; gate = {:secret";
    auto const settings = settings_of(plan_enforcing(postfix, wanted));
    EXPECT_EQ(route_of(settings).user, "user\";\x01\x7f\r}; gate = {");
    postfix.folder = "/etc/post\nfix \"x\"; rubbish";
    settings_of(plan_listening(postfix, wanted));
}

}  // namespace
}  // namespace millrace::attach
