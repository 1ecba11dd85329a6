#include <gtest/gtest.h>

#include "common/config/load.hpp"
#include "common/net/random.hpp"

namespace millrace::config {
namespace {

using std::chrono::milliseconds;

/// A configuration in which every setting has a value of its own, from a seed.
class Maker {
  public:
    explicit Maker(std::uint64_t seed) : random_(seed) {}

    Settings settings() {
        Settings s;
        s.relay = relay();
        s.milter.socket = flip() ? "inet:8891@127.0.0.1" : "unix:/run/x/" + word();
        s.milter.sessions_max = number(1, 10'000);
        s.milter.drain = milliseconds(number(0, 25'000));
        s.milter.handover_key = path();
        s.milter.handover_mailers = {word(), "relay"};
        s.milter.message_log = path();
        s.milter.trusted = networks();
        s.gate = gate(s.relay.hostname);
        return s;
    }

  private:
    unsigned number(unsigned low, unsigned high) {
        return low + static_cast<unsigned>(random_.below(high - low + 1));
    }
    bool flip() { return random_.below(2) == 1; }
    std::string word() {
        std::string text;
        for (unsigned i = number(1, 9); i > 0; --i) {
            text += static_cast<char>('a' + random_.below(26));
        }
        return text;
    }
    std::string path() {
        static const char* const odd[] = {
            "", " blank", "\"quote\"", "back\\slash", "ü", "\ttab", "\x01"};
        return flip() ? "" : "/" + word() + odd[random_.below(7)];
    }
    std::string host() { return word() + "." + word() + ".example"; }
    TlsLevel level() { return static_cast<TlsLevel>(random_.below(4)); }
    std::vector<Network4or6> networks() {
        std::vector<Network4or6> all;
        for (unsigned i = number(1, 3); i > 0; --i) {
            auto const text =
                flip() ? fmt(10, number(0, 255)) : "2001:db8:" + std::to_string(i) + "::/48";
            all.push_back(*Network4or6::parse(text));
        }
        return all;
    }
    static std::string fmt(unsigned a, unsigned b) {
        return std::to_string(a) + "." + std::to_string(b) + ".0.0/16";
    }

    std::string fmt_host(unsigned a) {
        return std::to_string(a) + ".0.2." + std::to_string(number(1, 254));
    }

    Relay relay() {
        Relay r;
        r.hostname = host();
        r.spool = {"/" + word(),
                   (16ULL << 20) + number(0, 1'000'000),
                   (1ULL << 20) + number(0, 9999),
                   milliseconds(3'600'000 + number(0, 1'000'000))};
        r.control_socket = "/" + word();
        r.dns.servers = {"192.0.2." + std::to_string(number(0, 255)),
                         "[::1]:" + std::to_string(number(1, 65'535))};
        r.dns.dnssec = flip();
        for (unsigned i = number(1, 3); i > 0; --i) {
            auto const secret = flip() ? "/" + word() : "";
            r.listeners.push_back({"127.0.0." + std::to_string(i),
                                   static_cast<std::uint16_t>(number(1, 65'535)),
                                   flip() ? Profile::attached : Profile::submission,
                                   networks(),
                                   secret,
                                   secret});
        }
        for (unsigned i = number(0, 3); i > 0; --i) {
            bool const login = flip();
            r.routes.push_back({i == 1 ? "*" : word() + std::to_string(i),
                                flip() ? host() : "",
                                static_cast<std::uint16_t>(number(1, 65'535)),
                                login ? TlsLevel::verify : level(),
                                login ? "me\"" : "",
                                login ? "/" + word() : ""});
        }
        for (unsigned i = number(0, 3); i > 0; --i) {
            r.sources.push_back({fmt_host(189 + i),
                                 host(),
                                 "out" + std::to_string(i),
                                 number(1, 1000),
                                 flip() ? PtrRule::any : PtrRule::confirmed,
                                 flip(),
                                 number(10, 90),
                                 number(100, 90'000),
                                 {host()}});
        }
        if (flip() && !r.sources.empty()) {
            r.sources.push_back(r.sources.back());
            r.sources.back().address = "2001:db8::1";
        }
        if (!r.sources.empty()) {
            r.pools.push_back({"letters", {"out1"}, {"bulk"}, {"." + host()}});
            r.pools.push_back({"all", {}, {}, {}});
        }
        if (flip()) r.wake = {"/" + word(), "-" + word(), " two words \""};
        r.postmaster = word() + "@" + host();
        r.postmaster_copies = {flip(), flip(), flip()};
        r.delivery = delivery();
        r.limits = {(64ULL << 10) + number(0, 1'000'000),
                    number(100, 50'000),
                    number(1, 1000),
                    number(1, 1000),
                    number(100, 1'000'000),
                    number(0, 10'000'000)};
        r.http = {"127.0.0.9", static_cast<std::uint16_t>(number(0, 65'535)), {host()}};
        r.event_log = path();
        r.mail_log = flip() ? path() : flip() ? "syslog" : "syslog:/run/" + word();
        r.handover_key = path();
        return r;
    }

    Delivery delivery() {
        Delivery d;
        d.private_addresses = flip();
        d.connections_per_site = number(1, 500);
        d.connections_total = number(500, 100'000);
        d.messages_per_connection = number(1, 100'000);
        d.connections_per_second = number(0, 1000) / 7.0;
        d.messages_per_second = number(0, 1000) * 1.0;
        d.port = static_cast<std::uint16_t>(number(1, 65'535));
        d.tls = level();
        d.ipv6 = flip();
        d.expire_after = milliseconds(1'000'000 + number(0, 999'999));
        d.delay_notice_after = milliseconds(number(0, 99'999'999));
        d.retry = {milliseconds(number(10, 999'999)), milliseconds(number(10, 99'999'999))};
        d.connect_timeout = milliseconds(number(100, 300'000));
        d.idle_connection = milliseconds(number(0, 300'000));
        return d;
    }

    policy::Settings gate(const std::string& hostname) {
        policy::Settings g;
        g.mode = flip() ? policy::Mode::enforce : policy::Mode::report_only;
        g.known = {*policy::parse_known_sender("=" + host()),
                   *policy::parse_known_sender("*." + host()),
                   *policy::parse_known_sender(host()),
                   *policy::parse_known_sender("me@" + host())};
        g.sender = "postmaster@" + host();
        g.unverified_from =
            flip() ? policy::UnverifiedFrom::reject : policy::UnverifiedFrom::sender_header;
        g.trigger = static_cast<policy::SenderTrigger>(random_.below(3));
        for (auto const& row : policy::check_table()) {
            auto const action = static_cast<policy::Action>(random_.below(4));
            g.actions[static_cast<std::size_t>(row.check)] =
                action == policy::Action::repair && !row.repairable ? policy::Action::note : action;
        }
        g.fallback_charset = flip() ? "windows-1251" : "iso-8859-15";
        g.tag_length_max = number(1, 900);
        g.field_size_max = number(998, 16'000);
        g.block_size_max = number(16'384, 10'000'000);
        g.field_count_max = number(50, 100'000);
        g.message_id_domain = hostname;
        return g;
    }

    SeededRandom random_;
};

TEST(RoundTrip, WhatIsPrintedIsReadAsTheSame) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        auto const settings = Maker(seed).settings();
        auto const text = print(settings);
        auto const parsed = parse(text, "printed");
        ASSERT_TRUE(parsed) << "seed " << seed << ": " << parsed.error().detail << "\n" << text;
        EXPECT_EQ(**parsed, settings) << "seed " << seed << "\n"
                                      << text << "\nagain:\n"
                                      << print(**parsed);
    }
}

TEST(RoundTrip, DefaultsToo) {
    auto const defaults = parse("", "t.conf");
    ASSERT_TRUE(defaults);
    auto const parsed = parse(print(**defaults), "printed");
    ASSERT_TRUE(parsed) << parsed.error().detail;
    // Every check is spelled out in print; the actions in force are the same.
    EXPECT_EQ(print(**parsed), print(**defaults));
}

}  // namespace
}  // namespace millrace::config
