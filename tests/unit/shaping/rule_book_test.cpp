// Goal: which provider a destination belongs to, what is allowed there, and whose words count.
#include "relay/shaping/rule_book.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

std::shared_ptr<const RuleBook> book_of(const std::string& text, const Ceilings& base = {}) {
    auto const rules = config::parse_shaping(text, "own.conf");
    EXPECT_TRUE(rules) << rules.error().detail;
    auto book = RuleBook::compile(*rules, base);
    EXPECT_TRUE(book) << book.error().detail;
    return *book;
}

Address address(const char* text) {
    return boost::asio::ip::make_address(text);
}

TEST(Provider, by_the_names_of_all_its_servers) {
    auto const& book = *shipped_book();
    auto const of = [&](const Strings& hosts) {
        return book.provider_of({}, hosts, {});
    };
    EXPECT_EQ(of({"gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"}), "google");
    EXPECT_EQ(of({"ASPMX.L.GOOGLE.COM."}), "google");
    EXPECT_EQ(of({"aspmx2.googlemail.com"}), "google");
    EXPECT_EQ(of({"google.com"}), "google");
    EXPECT_EQ(of({"example-com.mail.protection.outlook.com"}), "office365");
    EXPECT_EQ(of({"example-com.a-v1.mx.microsoft"}), "office365");
    EXPECT_EQ(of({"hotmail-com.olc.protection.outlook.com"}), "outlook");
    EXPECT_EQ(of({"mta5.am0.yahoodns.net"}), "yahoo");
    EXPECT_EQ(of({"notgoogle.com"}), "");
    EXPECT_EQ(of({"google.com.example.net"}), "");
    EXPECT_EQ(of({"aspmx.l.google.com", "backup.example.net"}), "");
    EXPECT_EQ(of({}), "");
    EXPECT_EQ(of({"", ".", ".."}), "");
}

TEST(Provider, by_domain_address_and_the_longest_suffix) {
    auto const book = book_of(R"(providers = (
        { name = "a"; match = { mx = [ ".Example.NET." ]; domains = [ "a.example", ".deep.example" ]; }; },
        { name = "b"; match = { mx = [ "mx.example.net" ]; addresses = [ "192.0.2.0/24", "2001:db8::/32" ]; }; });)");
    EXPECT_EQ(book->provider_of({}, Strings{"in.example.net"}, {}), "a");
    EXPECT_EQ(book->provider_of({}, Strings{"one.mx.example.net"}, {}), "b");
    EXPECT_EQ(book->provider_of({}, Strings{"example.net"}, {}), "a");
    EXPECT_EQ(book->provider_of("A.Example.", Strings{"mx.example.net"}, {}), "a");
    EXPECT_EQ(book->provider_of("below.a.example", {}, {}), "");
    EXPECT_EQ(book->provider_of("far.below.deep.example", {}, {}), "a");
    EXPECT_EQ(book->provider_of("deep.example", {}, {}), "");
    EXPECT_EQ(
        book->provider_of("x.example", Strings{"mx.x.example"}, std::vector{address("192.0.2.7")}),
        "b");
    EXPECT_EQ(book->provider_of("x.example",
                                Strings{"mx.x.example"},
                                std::vector{address("192.0.2.7"), address("2001:db8::1")}),
              "b");
    EXPECT_EQ(book->provider_of("x.example",
                                Strings{"mx.x.example"},
                                std::vector{address("192.0.2.7"), address("198.51.100.1")}),
              "");
}

TEST(CeilingsOf, a_shipped_rule_only_lowers_and_an_own_one_says_what_holds) {
    Ceilings base;
    base.connections = 3;
    base.messages_per_second = 5;
    auto const plain = book_of("", base);
    EXPECT_EQ(plain->ceilings(""), base);
    EXPECT_EQ(plain->ceilings("nobody"), base);
    EXPECT_EQ(plain->ceilings("apple").connections, 3U);
    EXPECT_EQ(plain->ceilings("apple").messages_per_connection, 5U);
    EXPECT_EQ(plain->ceilings("apple").messages_per_second, 5);
    EXPECT_EQ(plain->ceilings("yahoo.co.jp").connections, 2U);
    auto const own = book_of(R"(providers = ( { name = "apple";
        limits = { connections = 40; messages_per_second = 0.5; }; } );)",
                             base);
    EXPECT_EQ(own->ceilings("apple").connections, 40U);
    EXPECT_EQ(own->ceilings("apple").messages_per_second, 0.5);
    EXPECT_EQ(own->ceilings("apple").messages_per_connection, 5U);
}

TEST(Types, the_providers_words_before_everybodys_and_the_own_before_all) {
    auto const book = book_of(R"(
        providers = ( { name = "google"; replies = ( { says = "unusual rate"; type = "reputation";
            axis = "account"; pause = "3h"; escalate = false; example = "421 4.7.28 unusual rate"; } ); } );
        replies = ( { says = "hold your horses"; type = "rate"; pause = "2m"; example = "450 hold your horses"; } );)");
    auto const own = book->type("google", 421, "4.7.28", "an unusual rate", {});
    EXPECT_EQ(own.blame, Blame::reputation);
    EXPECT_EQ(own.axis, Axis::account);
    EXPECT_EQ(own.pause, 3h);
    EXPECT_FALSE(own.escalate);
    EXPECT_EQ(own.rule, "google: \"unusual rate\"");
    EXPECT_EQ(book->type("yahoo", 421, "4.7.28", "an unusual rate", {}).blame, Blame::rate);
    EXPECT_EQ(book->type("yahoo", 450, "", "Hold your horses!", {}).pause, 2min);
    EXPECT_EQ(shipped_book()->type("", 450, "", "Hold your horses!", {}), Typed{});
}

TEST(Types, the_axis_is_what_the_reply_names_first) {
    auto const axis = [](const char* text, const char* sender) {
        return shipped_book()->type({}, 421, "4.7.28", text, sender).axis;
    };
    EXPECT_EQ(
        axis("Unusual rate of mail originating from your SPF domain [a.example], rate limited",
             "a.example"),
        Axis::sender_domain);
    EXPECT_EQ(axis("Unusual rate from your IP address 192.0.2.1", "a.example"), Axis::source);
    EXPECT_EQ(axis("rate limit for [192.0.2.1] sending a.example", "a.example"), Axis::source);
    EXPECT_EQ(axis("rate limit for a.example at [192.0.2.1]", "A.example"), Axis::sender_domain);
    EXPECT_EQ(axis("rate limit for [2001:db8::1]", ""), Axis::source);
    EXPECT_EQ(axis("rate limit for mx.a.example", "a.example"), Axis::source);
    EXPECT_EQ(axis("rate limit for bob@a.example", "a.example"), Axis::source);
    EXPECT_EQ(axis("rate limit", ""), Axis::source);
    EXPECT_EQ(axis("unusual rate of mail containing one of your URL domains", "a.example"),
              Axis::message);
    EXPECT_EQ(axis("rate limit for a.example.", "a.example"), Axis::sender_domain);
}

TEST(Types, a_time_that_the_reply_asks_for_is_the_least) {
    auto const pause = [](unsigned code, const char* text) {
        return shipped_book()->type({}, code, "", text, {}).pause;
    };
    EXPECT_EQ(pause(450, "Greylisted for 5 minutes"), 5min);
    EXPECT_EQ(pause(450, "Greylisted, try again in 300 seconds"), 300s);
    EXPECT_EQ(pause(450, "Greylisted, try again in 450 seconds"), 450s);
    EXPECT_EQ(pause(421, "Rate limit. Wait 2 hours"), 2h);
    EXPECT_EQ(pause(421, "Rate limit. Retry in 30s."), 30s);
    EXPECT_EQ(pause(421, "Rate limit of 100 messages in 60 seconds"), 0s);
    EXPECT_EQ(pause(421, "Rate limit. Come back in 99999 hours"), 24h);
    EXPECT_EQ(pause(550, "Rate limit. Wait 2 hours"), 0s);
    EXPECT_EQ(pause(451, "Something is odd, try again in 300 seconds"), 0s);
}

TEST(Types, what_nobody_knows_is_nobodys_fault) {
    auto const& book = *shipped_book();
    for (auto const* text : {"",
                             " ",
                             "Try again later",
                             "No.",
                             "policy",
                             "4.7.1",
                             "Rejected",
                             "0123456789",
                             "\xff\xfe\x00",
                             "Please contact your administrator",
                             "Error: too many errors",
                             "Bitte sp\xc3\xa4ter erneut versuchen",
                             "\xe8\xaf\xb7\xe7\xa8\x8d\xe5\x90\x8e",
                             "spfx dkimless rbltown ptrx",
                             "mail-spf0x.example.com said no",
                             "command not recognised"}) {
        for (unsigned const code : {421U, 450U, 451U, 550U, 554U}) {
            for (auto const* provider : {"", "google", "no-such-provider"}) {
                EXPECT_EQ(book.type(provider, code, "", text, "a.example"), Typed{})
                    << code << ' ' << text;
            }
        }
    }
    EXPECT_EQ(book.type("google", 250, "", "too many connections", {}), Typed{});
    EXPECT_EQ(book.type("google", 0, "", "too many connections", {}), Typed{});
    EXPECT_EQ(book.type("google", 600, "", "too many connections", {}), Typed{});
}

}  // namespace
}  // namespace millrace::relay
