#include "relay/attach/site.hpp"

#include <gtest/gtest.h>

#include "sites.hpp"

// Goal: what a Postfix is used for is read rightly from what it says of itself.
namespace millrace::attach {
namespace {

using Kind = Door::Kind;
using Texts = std::vector<std::string>;

std::map<std::string, Kind> kinds(const std::string& name) {
    auto const postfix = site(name);
    std::map<std::string, Kind> found;
    for (auto const& door : doors_of(postfix)) {
        found[door.service->key()] = door.kind;
    }
    return found;
}

TEST(SiteTest, EveryWayInIsFound) {
    using Doors = std::map<std::string, Kind>;
    EXPECT_EQ(kinds("debian"), (Doors{{"smtp/inet", Kind::inbound}}));
    EXPECT_EQ(kinds("submission"),
              (Doors{{"smtp/inet", Kind::inbound},
                     {"submission/inet", Kind::submission},
                     {"submissions/inet", Kind::submission}}));
    EXPECT_EQ(kinds("postscreen"),
              (Doors{{"smtpd/pass", Kind::inbound}, {"submission/inet", Kind::submission}}));
    EXPECT_EQ(kinds("content-filter"),
              (Doors{{"smtp/inet", Kind::inbound},
                     {"submission/inet", Kind::submission},
                     {"127.0.0.1:10025/inet", Kind::reinjection}}));
    EXPECT_EQ(kinds("addresses"),
              (Doors{{"192.0.2.25:25/inet", Kind::inbound},
                     {"192.0.2.25:587/inet", Kind::submission},
                     {"[::1]:2500/inet", Kind::inbound},
                     {"127.0.0.1:smtps/inet", Kind::submission}}));
}

TEST(SiteTest, LoginsOnPort25AreSeen) {
    auto const with = site("sasl-on-25");
    EXPECT_TRUE(doors_of(with).at(0).logins);
    auto const without = site("submission");
    EXPECT_FALSE(doors_of(without).at(0).logins);
    EXPECT_TRUE(doors_of(without).at(1).logins);
}

TEST(SiteTest, NetworksAreWrittenAsMillraceDoes) {
    EXPECT_EQ(networks_of(site("debian")).items,
              (Texts{"127.0.0.0/8", "::1/128", "::ffff:127.0.0.0/104"}));
    EXPECT_EQ(networks_of(site("no-networks")).items, Texts{});
    auto const only_table = networks_of(site("only-table-networks"));
    EXPECT_EQ(only_table.items, Texts{});
    EXPECT_EQ(only_table.opaque, Texts{"cidr:/etc/postfix/office.cidr"});
}

TEST(SiteTest, TablesOfNetworksAreReadAndPatternsAreNamed) {
    auto const listed = networks_of(site("networks"));
    for (auto const* there : {"127.0.0.0/8",
                              "::1/128",
                              "2001:db8:1::/48",
                              "198.51.100.7",
                              "203.0.113.7",
                              "203.0.113.8"}) {
        EXPECT_NE(std::ranges::find(listed.items, there), listed.items.end()) << there;
    }
    EXPECT_TRUE(says(listed.opaque, "cidr:/etc/postfix/office.cidr"));
}

TEST(SiteTest, DomainsOfAllListsAndTablesInLowerCase) {
    EXPECT_EQ(domains_of(site("debian")).items,
              (Texts{"garden.test", "localhost", "localhost.garden.test", "mail.garden.test"}));
    auto const hosting = domains_of(site("hosting"));
    EXPECT_EQ(hosting.items,
              (Texts{".branch.test",
                     "backup.test",
                     "bakery.test",
                     "customer.test",
                     "garden.test",
                     "lily.test",
                     "localhost",
                     "localhost.garden.test",
                     "mail.garden.test",
                     "meadow.test"}));
    EXPECT_EQ(hosting.opaque, Texts{"mysql:/etc/postfix/domains.cf"});
}

TEST(SiteTest, WhereItTakesMailFromThisMachine) {
    auto const at = [](const std::string& name) {
        auto const address = address_of(site(name));
        return address.address + " " + std::to_string(address.port);
    };
    EXPECT_EQ(at("debian"), "127.0.0.1 25");
    EXPECT_EQ(at("postscreen"), "127.0.0.1 25");
    EXPECT_EQ(at("content-filter"), "127.0.0.1 25");
    EXPECT_EQ(at("ipv4-only"), "192.0.2.25 25");
    EXPECT_EQ(at("addresses"), "192.0.2.25 25");
}

TEST(SiteTest, AnAddressIsNeverAName) {
    auto postfix = site("debian");
    postfix.expanded["inet_interfaces"] = "mail.garden.test, 192.0.2.25";
    EXPECT_EQ(address_of(postfix).address, "192.0.2.25");
    postfix.expanded["inet_interfaces"] = "[2001:db8::25]";
    EXPECT_EQ(address_of(postfix).address, "2001:db8::25");
    postfix.expanded["inet_interfaces"] = "mail.garden.test";
    EXPECT_EQ(address_of(postfix).address, "127.0.0.1");
}

TEST(SiteTest, RelayhostInEveryForm) {
    auto const of = [](const std::string& name) {
        auto const host = relayhost_of(site(name));
        return host.host + " " + std::to_string(host.port) + (host.by_mx ? " mx" : "");
    };
    EXPECT_EQ(relayhost_of(site("debian")).host, "");
    EXPECT_EQ(of("relayhost-login-may"), "smarthost.test 587");
    EXPECT_EQ(of("relayhost-none"), "smarthost.test 25");
    EXPECT_EQ(of("relayhost-mx"), "smarthost.test 25 mx");
    EXPECT_EQ(of("relayhost-mx-port"), "smarthost.test 2525 mx");
    EXPECT_EQ(of("relayhost-ipv6"), "2001:db8::25 2525");
    EXPECT_EQ(of("relayhost-service"), "smarthost.test 587");
    EXPECT_EQ(of("relayhost-several"), "one.smarthost.test 587");
}

TEST(SiteTest, AnOptionThatNamesAParameterCountsAsItsValue) {
    auto postfix = site("opendkim-submission");
    auto const* submission = postfix.service("submission/inet");
    ASSERT_NE(submission, nullptr);
    auto const want = "unix:private/opendkim, inet:localhost:11332";
    EXPECT_EQ(postfix.get("smtpd_milters", *submission), want);
    for (auto const* form : {"${mua_milters}", "$(mua_milters)"}) {
        for (auto& service : postfix.services) {
            if (service.key() == "submission/inet") {
                service.options["smtpd_milters"] = form;
            }
        }
        EXPECT_EQ(postfix.get("smtpd_milters", *postfix.service("submission/inet")), want) << form;
    }
}

TEST(SiteTest, ElementsKeepBracesWhole) {
    EXPECT_EQ(elements(" a,b\tc , { d, e { f } },g"),
              (Texts{"a", "b", "c", "{ d, e { f } }", "g"}));
    EXPECT_EQ(elements("}a, b"), (Texts{"}a", "b"}));
    EXPECT_EQ(elements(", ,"), Texts{});
}

TEST(SiteTest, LinesThatSayNothingArePassedOver) {
    auto const postfix =
        read_postfix("/etc/postfix",
                     "a = 1\nno equals\n\n = \nb=2\r\n",
                     "a=",
                     "smtp = no slash\nonly/one = x\nsmtp/inet/command = smtpd -v\n",
                     "smtp/inet/x = a=b\nrubbish = y\n");
    EXPECT_EQ(postfix.get("a"), "1");
    EXPECT_EQ(postfix.get("b"), "2");
    ASSERT_EQ(postfix.services.size(), 1U);
    EXPECT_EQ(postfix.services[0].command, "smtpd");
    EXPECT_EQ(postfix.services[0].options.at("x"), "a=b");
}

}  // namespace
}  // namespace millrace::attach
