#include "common/config/load.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gtest/gtest.h>

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const Settings& good(const Result<Snapshot>& parsed) {
    static const Settings none;
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().detail);
    return parsed ? **parsed : none;
}

std::string fault(const std::string& text) {
    auto const parsed = parse(text, "t.conf");
    EXPECT_FALSE(parsed) << text;
    return parsed ? "" : parsed.error().detail;
}

TEST(Load, AnEmptyFileMeansEveryDefault) {
    auto const parsed = parse("", "t.conf");
    auto const& settings = good(parsed);
    EXPECT_EQ(settings.relay.spool.directory, "/var/lib/millrace");
    EXPECT_EQ(settings.relay.control_socket, "/var/lib/millrace/control.sock");
    ASSERT_EQ(settings.relay.listeners.size(), 1U);
    EXPECT_EQ(settings.relay.listeners[0].address, "127.0.0.1");
    EXPECT_EQ(settings.relay.listeners[0].port, 2525);
    EXPECT_EQ(settings.relay.listeners[0].profile, Profile::attached);
    EXPECT_EQ(settings.relay.listeners[0].trusted.size(), 2U);
    EXPECT_EQ(settings.relay.delivery.expire_after, hours(120));
    EXPECT_EQ(settings.relay.delivery.retry.size(), 8U);
    EXPECT_EQ(settings.relay.delivery.retry.front(), seconds(30));
    EXPECT_EQ(settings.gate.mode, policy::Mode::enforce);
    EXPECT_FALSE(settings.relay.hostname.empty());
    EXPECT_EQ(settings.gate.sender, "postmaster@" + settings.relay.hostname);
    EXPECT_EQ(settings.gate.message_id_domain, settings.relay.hostname);
}

TEST(Load, EverySettingOfTheFixedPageIsUnderstood) {
    auto const parsed = parse(R"(
relay = { hostname = "mail.example.com"; spool = { directory = "/srv/spool"; };
          control = { socket = "/run/c.sock"; };
          listeners = ( { address = "127.0.0.1"; port = 2525; profile = "attached";
                          trusted = [ "127.0.0.0/8", "::1/128" ]; } );
          dns = { servers = [ "127.0.0.1:5353", "::1", "[::1]:53" ]; dnssec = true; };
          routes = ( { domain = "*"; host = "smart.example.net"; port = 25; tls = "may"; } );
          delivery = { private_addresses = "allow"; };
};
milter = { socket = "unix:/run/millrace/milter.sock"; };
gate = { mode = "report-only"; known_domains = [ "example.com", "=example.org", "*.example.net", "a@b.example" ];
         sender = "ops@example.com"; unverified_from = "reject"; checks = { H04 = "note"; H12 = "repair"; }; };
)",
                              "t.conf");
    auto const& settings = good(parsed);
    EXPECT_EQ(settings.relay.hostname, "mail.example.com");
    EXPECT_EQ(settings.relay.spool.directory, "/srv/spool");
    EXPECT_EQ(settings.relay.control_socket, "/run/c.sock");
    EXPECT_EQ(settings.relay.dns.servers.size(), 3U);
    ASSERT_EQ(settings.relay.routes.size(), 1U);
    EXPECT_EQ(settings.relay.routes[0].host, "smart.example.net");
    EXPECT_TRUE(settings.relay.delivery.private_addresses);
    EXPECT_EQ(settings.gate.mode, policy::Mode::report_only);
    EXPECT_EQ(settings.gate.known.size(), 4U);
    EXPECT_EQ(settings.gate.unverified_from, policy::UnverifiedFrom::reject);
    EXPECT_EQ(settings.gate.action(policy::Check::date_absent), policy::Action::note);
    EXPECT_EQ(settings.gate.action(policy::Check::list_repeated), policy::Action::repair);
}

struct Refusal {
    const char* text;
    const char* message;
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithThePlaceTheFaultAndTheNextStep) {
    EXPECT_EQ(fault(GetParam().text), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    Refused,
    testing::Values(
        Refusal{"relay = {\n  spol = { };\n};",
                "t.conf:2: unknown setting relay.spol: did you mean relay.spool?"},
        Refusal{"realy = { };", "t.conf:1: unknown setting realy: did you mean relay?"},
        Refusal{"relay = { directory = \"/x\"; };",
                "t.conf:1: unknown setting relay.directory: did you mean relay.spool.directory?"},
        Refusal{"relay = { spool = { free_mni = \"1G\"; }; };",
                "t.conf:1: unknown setting relay.spool.free_mni: did you mean "
                "relay.spool.free_min?"},
        Refusal{"relay = { listeners = ( { prot = 25; } ); };",
                "t.conf:1: unknown setting relay.listeners.prot: did you mean "
                "relay.listeners.port?"},
        Refusal{"xyzzy = 1;", "t.conf:1: unknown setting xyzzy"},
        Refusal{"relay = { pools = ( { name = \"a\"; } ); };",
                "t.conf: relay.pools: there are no relay.sources to be in a pool"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; name = \"out1\"; } ); "
                "pools = ( { name = \"p\"; sources = [ \"out2\" ]; } ); };",
                "t.conf: relay.pools: p: there is no source called out2: did you mean out1?"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; } ); "
                "pools = ( { name = \"p\"; }, { name = \"p\"; } ); };",
                "t.conf: relay.pools: there are two pools called p"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; } ); "
                "pools = ( { name = \"p\"; classes = [ \"letters\" ]; } ); };",
                "t.conf:1: relay.pools.classes: \"letters\" is no class: there are bulk and "
                "transactional"},
        Refusal{
            "relay = { sources = ( { address = \"192.0.2.1\"; }, { address = \"192.0.2.1\"; } ); "
            "};",
            "t.conf: relay.sources: 192.0.2.1 is there twice"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; name = \"a\"; }, "
                "{ address = \"192.0.2.2\"; name = \"a\"; } ); };",
                "t.conf: relay.sources: 192.0.2.1 and 192.0.2.2 are both called a; only an IPv4 "
                "and an IPv6 address may share a name"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; name = \"a\"; }, "
                "{ address = \"2001:db8::1\"; name = \"a\"; weight = 2; } ); };",
                "t.conf: relay.sources: the two addresses of a are one source: give both the same "
                "weight and warm_up settings"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; name = \"a b\"; } ); };",
                "t.conf:1: relay.sources.name: \"a b\" is no name: write letters, digits and . - "
                "_ : only, 64 at most"},
        Refusal{"relay = { sources = ( { address = \"0.0.0.0\"; }, { address = \"192.0.2.2\"; } ); "
                "};",
                "t.conf: relay.sources: 0.0.0.0 leaves the choice to the system, so it cannot "
                "stand beside other IPv4 addresses"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; warm_up_first = 500; "
                "warm_up_goal = 100; } ); };",
                "t.conf: relay.sources: 192.0.2.1: warm_up_first is larger than warm_up_goal"},
        Refusal{"relay = { sources = ( { address = \"192.0.2.1\"; weight = 0; } ); };",
                "t.conf:1: relay.sources.weight: 0 is out of bounds: allowed is 1 to 1000"},
        Refusal{"relay = { wake = [ \"postqueue\", \"-f\" ]; };",
                "t.conf: relay.wake: \"postqueue\" must be an absolute path; arguments are further "
                "elements of the list"},
        Refusal{"relay = { postmaster_copies = [ \"2bounce\" ]; };",
                "t.conf:1: relay.postmaster_copies: \"2bounce\" is not one of \"bounce\", "
                "\"double-bounce\" and \"delay\""},
        Refusal{"relay = { spool = \"/x\"; };",
                "t.conf:1: relay.spool: is a group: write it as { … }"},
        Refusal{"relay = { listeners = { port = 25; }; };",
                "t.conf:1: relay.listeners: expected a list of groups: ( { … }, { … } )"},
        Refusal{
            "relay = { limits = { message_size = 64; }; };",
            "t.conf:1: relay.limits.message_size: expected a size with a unit in double quotes, "
            "such as \"64M\""},
        Refusal{
            "relay = { limits = { message_size = \"64Q\"; }; };",
            "t.conf:1: relay.limits.message_size: \"64Q\" is not a size: write a number with K, "
            "M, G or T, such as \"64M\""},
        Refusal{
            "relay = { limits = { message_size = \"64T\"; }; };",
            "t.conf:1: relay.limits.message_size: \"64T\" is out of bounds: allowed is 64K to 1G"},
        Refusal{
            "relay = { delivery = { expire_after = \"5\"; }; };",
            "t.conf:1: relay.delivery.expire_after: \"5\" is not a time: write a number with ms, "
            "s, m, h, d or w, such as \"30s\" or \"1h30m\""},
        Refusal{"relay = { delivery = { retry = [ ]; }; };",
                "t.conf:1: relay.delivery.retry: expected 1 to 50 times"},
        Refusal{"relay = { delivery = { ipv6 = \"yes\"; }; };",
                "t.conf:1: relay.delivery.ipv6: expected true or false, without quotes"},
        Refusal{"relay = { delivery = { port = 70000; }; };",
                "t.conf:1: relay.delivery.port: 70000 is out of bounds: allowed is 1 to 65535"},
        Refusal{"relay = { delivery = { messages_per_second = -1.5; }; };",
                "t.conf:1: relay.delivery.messages_per_second: -1.5 is out of bounds: allowed is 0 "
                "to 100000"},
        Refusal{"relay = { delivery = { tls = \"encrypted\"; }; };",
                "t.conf:1: relay.delivery.tls: \"encrypted\" is not one of \"none\", \"may\", "
                "\"encrypt\", \"verify\"; did you mean \"encrypt\"?"},
        Refusal{"relay = { hostname = \"mail example\"; };",
                "t.conf:1: relay.hostname: \"mail example\" is not a host name, such as "
                "mail.example.com"},
        Refusal{
            "relay = { spool = { directory = \"spool\"; }; };",
            "t.conf:1: relay.spool.directory: \"spool\" is not an absolute path: start it with /"},
        Refusal{"relay = { listeners = ( { trusted = [ \"0.0.0.0/0\" ]; } ); };",
                "t.conf:1: relay.listeners.trusted: \"0.0.0.0/0\" trusts everyone: that is an open "
                "relay"},
        Refusal{
            "relay = { listeners = ( { certificate = \"/c.pem\"; } ); };",
            "t.conf: relay.listeners: 127.0.0.1 port 2525: certificate and key belong together; "
            "one of them is missing"},
        Refusal{"relay = { listeners = ( { }, { } ); };",
                "t.conf: relay.listeners: 127.0.0.1 port 2525 is there twice"},
        Refusal{
            "relay = { routes = ( { user = \"u\"; password_file = \"/p\"; } ); };",
            "t.conf: relay.routes: the route for \"*\" would send its password in clear: set tls "
            "= \"encrypt\" or \"verify\""},
        Refusal{
            "relay = { dns = { servers = [ \"dns.example.com\" ]; }; };",
            "t.conf:1: relay.dns.servers: \"dns.example.com\" is not an address of a name server, "
            "such as 192.0.2.53 or [2001:db8::53]:5353"},
        Refusal{"milter = { socket = \"/run/x\"; };",
                "t.conf:1: milter.socket: \"/run/x\" is not a milter socket: write unix:/path, "
                "inet:PORT@HOST or inet6:PORT@HOST"},
        Refusal{
            "gate = { checks = { H10 = \"repair\"; }; };",
            "t.conf:1: gate.checks.H10: \"repair\" is not one of \"off\", \"note\", \"reject\""},
        Refusal{"gate = { checks = { H7 = \"note\"; }; };",
                "t.conf:1: unknown setting gate.checks.H7: did you mean gate.checks.H27?"},
        Refusal{"gate = { known_domains = [ \"bad domain\" ]; };",
                "t.conf:1: gate.known_domains: \"bad domain\" is not a sender: write example.com "
                "(with its subdomains), =example.com, *.example.com or user@example.com"},
        Refusal{"gate = { fallback_charset = \"klingon\"; };",
                "t.conf:1: gate.fallback_charset: \"klingon\" is not a known character set"},
        Refusal{
            "# 99999999999\n/* 99999999999 */\nrelay = { hostname = \"9999999999\\\"\";\n"
            "delivery = { port = 4294967321; }; };",
            "t.conf:4: the number is too large; sizes and times are strings with a unit, such as "
            "\"64M\" or \"15m\""},
        Refusal{"relay = {\n hostname = \"a.b\";\n spool = ; };", "t.conf:3: syntax error"},
        Refusal{"relay = { hostname = \"a.b\";\nhostname = \"c.d\"; };",
                "t.conf:2: duplicate setting name"}));

TEST(Load, ANulByteIsNotCutOffSilently) {
    EXPECT_EQ(fault(std::string("relay = { };\n\0 nonsense", 24)),
              "t.conf:2: a NUL byte: this is not a text file");
}

TEST(Load, DeepNestingIsRefusedNotACrash) {
    EXPECT_NE(fault(std::string(500, '(').insert(0, "relay = ")), "");
    std::string deep;
    for (int i = 0; i < 30; ++i) {
        deep += "g = { ";
    }
    for (int i = 0; i < 30; ++i) {
        deep += "}; ";
    }
    EXPECT_EQ(fault(deep), "t.conf: groups are nested more than 20 deep");
}

TEST(Warnings, AWakeCommandThatIsNotThereStopsNoRelay) {
    std::vector<std::string> warnings;
    ASSERT_TRUE(
        parse("relay = { hostname = \"a.example\"; wake = [ \"/no/such/postqueue\", \"-f\" ]; "
              "};",
              "t.conf",
              &warnings));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find("/no/such/postqueue cannot be executed"), std::string::npos);
}

TEST(Warnings, Ipv6WithoutAnIpv6SourceHasNoEffect) {
    std::vector<std::string> warnings;
    ASSERT_TRUE(
        parse("relay = { hostname = \"a.example\"; sources = ( { address = \"192.0.2.1\"; } ); "
              "delivery = { ipv6 = true; }; };",
              "t.conf",
              &warnings));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find("relay.sources has no IPv6 address"), std::string::npos);
}

TEST(Sources, ALonePairIsOneSourceAndOthersAreCalledLikeTheirAddresses) {
    auto const names = [](const std::string& sources) {
        auto const parsed = parse(
            "relay = { hostname = \"a.example\"; sources = ( " + sources + " ); };", "t.conf");
        EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().detail);
        std::vector<std::string> all;
        for (auto const& source : (*parsed)->relay.sources)
            all.push_back(source.name);
        return all;
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(names("{ address = \"192.0.2.1\"; }, { address = \"2001:db8::1\"; }"),
              (Names{"192.0.2.1", "192.0.2.1"}));
    EXPECT_EQ(names("{ address = \"192.0.2.1\"; }, { address = \"192.0.2.2\"; }, "
                    "{ address = \"2001:db8::1\"; }"),
              (Names{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
    EXPECT_EQ(names("{ address = \"192.0.2.1\"; name = \"a\"; }, { address = \"2001:db8::1\"; }"),
              (Names{"a", "2001:db8::1"}));
}

TEST(Warnings, APoolOfNewSourcesOnly) {
    std::vector<std::string> warnings;
    ASSERT_TRUE(
        parse("relay = { hostname = \"a.example\"; sources = ( { address = \"192.0.2.1\"; "
              "name = \"new\"; warm_up = true; }, { address = \"192.0.2.2\"; } ); pools = ( "
              "{ name = \"p\"; sources = [ \"new\" ]; } ); };",
              "t.conf",
              &warnings));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_EQ(warnings[0],
              "t.conf: relay.pools: every source of p is being warmed up: what is more than they "
              "may send waits");
}

TEST(Load, WarnsOfAHostNameWithoutDot) {
    std::vector<std::string> warnings;
    ASSERT_TRUE(parse("relay = { hostname = \"mail\"; };", "t.conf", &warnings));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(warnings[0].starts_with("t.conf: relay.hostname is \"mail\", which has no dot"))
        << warnings[0];
}

class Files : public testing::Test {
  protected:
    Files() {
        std::string name = testing::TempDir() + "millrace_config_XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~Files() override { std::filesystem::remove_all(folder_); }
    std::string write(const std::string& name, const std::string& text) {
        auto const file = folder_ + "/" + name;
        std::ofstream(file) << text;
        return file;
    }
    std::string folder_;
};

TEST_F(Files, AMissingDefaultFileMeansDefaultsAndAMissingNamedFileIsAnError) {
    EXPECT_TRUE(load(folder_ + "/none.conf", Missing::means_defaults));
    auto const named = load(folder_ + "/none.conf", Missing::is_error);
    ASSERT_FALSE(named);
    EXPECT_EQ(named.error().detail,
              folder_ + "/none.conf: cannot be read: No such file or directory");
}

TEST_F(Files, AFolderIsNotAFile) {
    auto const loaded = load(folder_, Missing::means_defaults);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().detail, folder_ + ": is a directory");
}

TEST_F(Files, AnEmptyFileIsFine) {
    EXPECT_TRUE(load(write("empty.conf", ""), Missing::is_error));
}

TEST_F(Files, IncludesAreFoundBesideTheFileAndNamedInFaults) {
    write("routes.conf", "\nroutes = ( { prot = 1; } );\n");
    auto const main = write("m.conf", "relay = {\n@include \"routes.conf\"\n};\n");
    auto const loaded = load(main, Missing::is_error);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().detail,
              folder_ +
                  "/routes.conf:2: unknown setting relay.routes.prot: did you mean "
                  "relay.routes.port?");
}

TEST_F(Files, OversizedNumbersAreSeenInIncludesToo) {
    write("port.conf", "port = 4294967321;\n");
    auto const main = write("m.conf", "relay = { delivery = {\n@include \"port.conf\"\n}; };\n");
    auto const loaded = load(main, Missing::is_error);
    ASSERT_FALSE(loaded);
    EXPECT_TRUE(
        loaded.error().detail.starts_with(folder_ + "/port.conf:1: the number is too large"))
        << loaded.error().detail;
}

TEST(Load, WhatAttachWroteLiesBeneathTheOperatorsFile) {
    auto const folder = std::filesystem::path(::testing::TempDir()) / "load-attached";
    std::filesystem::create_directories(folder);
    auto const file = folder / "millrace.conf";
    std::ofstream(folder / "attached.conf") << R"(gate = { mode = "report-only"; };
relay = { hostname = "mail.example.com"; attached = { domains = [ "example.com" ]; };
          routes = ( { domain = "*"; host = "old.example"; port = 587; },
                     { domain = "two.example"; } ); };)";
    std::ofstream(file) << R"(relay = { routes = ( { domain = "*"; } ); };)";
    auto const loaded = load(file, Missing::is_error);
    auto const& settings = good(loaded);
    EXPECT_EQ(settings.gate.mode, policy::Mode::report_only);
    EXPECT_EQ(settings.relay.hostname, "mail.example.com");
    EXPECT_EQ(settings.relay.attached.domains, std::vector<std::string>{"example.com"});
    ASSERT_EQ(settings.relay.routes.size(), 1U);  // a list is replaced as a whole
    EXPECT_EQ(settings.relay.routes[0].host, "");
    EXPECT_EQ(settings.relay.routes[0].port, 25);

    EXPECT_TRUE(mentions(file, "relay.routes"));
    EXPECT_TRUE(mentions(file, "relay"));
    EXPECT_FALSE(mentions(file, "relay.hostname"));  // that is beneath it
    EXPECT_FALSE(mentions(file, "gate.mode"));
    EXPECT_FALSE(mentions(folder / "nothing.conf", "gate.mode"));

    std::ofstream(folder / "attached.conf") << "gate = { mod = 1; };";
    auto const broken = load(file, Missing::is_error);
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().detail.find("attached.conf:1: unknown setting gate.mod"),
              std::string::npos)
        << broken.error().detail;
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace millrace::config
