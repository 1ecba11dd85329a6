// Goal: every DNS answer leads where RFC 5321 §5.1 and RFC 7505 say (reliability: xQ1, xQ2, U1),
// the operator's routes come first, and a burst asks once.
#include "relay/deliver/router.hpp"

#include <filesystem>
#include <fstream>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "common/virtual/machine.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

Address ip(const char* text) {
    return boost::asio::ip::make_address(text);
}

/// Answers from tables, after 100 ms, and counts.
class TableResolver final : public Resolver {
  public:
    explicit TableResolver(Clock& clock) : clock_(clock) {}

    Task<DnsAnswer<MxRecord>> mx(std::string domain) override {
        ++asked[domain];
        co_await clock_.sleep(100ms);
        auto const found = mx_.find(domain);
        if (found != mx_.end()) co_return found->second;
        DnsAnswer<MxRecord> none;
        none.status = DnsStatus::no_name;
        none.ttl = 5min;
        co_return none;
    }
    Task<DnsAnswer<Address>> addresses(std::string host) override {
        ++asked[host];
        co_await clock_.sleep(100ms);
        auto const found = a_.find(host);
        if (found != a_.end()) co_return found->second;
        DnsAnswer<Address> none;
        none.status = DnsStatus::no_name;
        co_return none;
    }
    Task<DnsAnswer<std::string>> txt(std::string) override { co_return DnsAnswer<std::string>{}; }
    Task<DnsAnswer<std::string>> names(Address) override { co_return DnsAnswer<std::string>{}; }

    void mx(const std::string& domain, std::vector<MxRecord> records, Duration ttl = 10min) {
        auto const status = records.empty() ? DnsStatus::no_data : DnsStatus::found;
        mx_[domain] = {status, std::move(records), ttl, false, ""};
    }
    void address(const std::string& host, std::vector<Address> records, Duration ttl = 10min) {
        auto const status = records.empty() ? DnsStatus::no_data : DnsStatus::found;
        a_[host] = {status, std::move(records), ttl, false, ""};
    }
    void fails(const std::string& name) {
        mx_[name] = {DnsStatus::temporary, {}, {}, false, "SERVFAIL"};
        a_[name] = {DnsStatus::temporary, {}, {}, false, "SERVFAIL"};
    }
    std::map<std::string, int> asked;

  private:
    Clock& clock_;
    std::map<std::string, DnsAnswer<MxRecord>> mx_;
    std::map<std::string, DnsAnswer<Address>> a_;
};

class RouterTest : public ::testing::Test {
  protected:
    RouterTest() {
        dns.mx("example.net", {{10, "mx1.example.net"}, {20, "mx2.example.net"}});
        dns.mx("customer.example", {{5, "mx2.example.net"}, {5, "mx1.example.net"}});
        dns.address("mx1.example.net", {ip("198.51.100.1")});
        dns.address("mx2.example.net", {ip("198.51.100.2")});
        dns.mx("null.example", {{0, ""}});
        dns.mx("implicit.example", {});
        dns.address("implicit.example", {ip("198.51.100.3")});
        dns.mx("nothing.example", {});
        dns.address("nothing.example", {});
        dns.fails("broken.example");
        dns.mx("half.example", {{10, "broken.example"}});
        dns.mx("dead.example", {{10, "no-such-host.example"}});
        dns.mx("inside.example", {{10, "inside-host.example"}});
        dns.address("inside-host.example", {ip("127.0.0.1")});
        dns.mx("us.example", {{10, "us-host.example"}});
        dns.address("us-host.example", {ip("192.0.2.25")});
        dns.address("smart.example", {ip("10.0.0.5")});
    }
    ~RouterTest() override {
        if (router) {
            bool done = false;
            asio::co_spawn(
                machine.executor(), router->stop(), [&](std::exception_ptr) { done = true; });
            simulation.run_until([&] { return done; }, simulation.now() + 1min);
        }
        router.reset();
        simulation.shutdown();
    }

    void start() {
        router = std::make_unique<Router>(machine.executor(),
                                          dns,
                                          machine,
                                          log,
                                          std::make_shared<config::Settings>(settings),
                                          std::vector<Endpoint>{{ip("192.0.2.25"), 25}});
    }
    Routing route(const std::string& destination) {
        if (!router) start();
        std::optional<Routing> answer;
        ask(destination, answer);
        EXPECT_TRUE(
            simulation.run_until([&] { return answer.has_value(); }, simulation.now() + 1min));
        return answer.value_or(Unknown{});
    }
    void ask(const std::string& destination, std::optional<Routing>& answer) {
        asio::co_spawn(machine.executor(),
                       router->route(destination),
                       [&answer](std::exception_ptr thrown, Routing routing) {
                           if (!thrown) answer = std::move(routing);
                       });
    }
    /// `site` of a route, or the enhanced code.
    std::string answer(const std::string& destination) {
        auto const routing = route(destination);
        if (auto const* found = std::get_if<Route>(&routing)) return found->site;
        if (auto const* no = std::get_if<Undeliverable>(&routing)) {
            return std::to_string(no->code) + " " + no->enhanced;
        }
        return std::get<Unknown>(routing).enhanced;
    }

    NullLog log;
    virtual_::Simulation simulation{from_unix_millis(1'790'000'000'000)};
    virtual_::Machine& machine{simulation.machine("relay")};
    TableResolver dns{machine};
    config::Settings settings;
    std::unique_ptr<Router> router;
};

TEST_F(RouterTest, every_kind_of_answer) {
    EXPECT_EQ(answer("example.net"), "mx1.example.net,mx2.example.net");
    EXPECT_EQ(answer("customer.example"), "mx1.example.net,mx2.example.net");  // rollup
    EXPECT_EQ(answer("null.example"), "556 5.1.10");
    EXPECT_EQ(answer("implicit.example"), "implicit.example");
    EXPECT_EQ(answer("nothing.example"), "550 5.1.2");
    EXPECT_EQ(answer("no-such-domain.example"), "550 5.1.2");
    EXPECT_EQ(answer("broken.example"), "4.4.3");
    EXPECT_EQ(answer("half.example"), "4.4.3");
    EXPECT_EQ(answer("dead.example"), "550 5.4.4");
    EXPECT_EQ(answer("inside.example"), "550 5.4.4");
    EXPECT_EQ(answer("us.example"), "554 5.4.6");
    EXPECT_EQ(answer("[198.51.100.9]"), "[198.51.100.9]");
    EXPECT_EQ(answer("[169.254.169.254]"), "550 5.4.4");
    EXPECT_EQ(answer("[192.0.2.25]"), "554 5.4.6");
    EXPECT_EQ(answer("[nonsense]"), "550 5.1.2");
    EXPECT_EQ(answer(""), "550 5.1.2");
    EXPECT_EQ(answer(std::string(64, 'a') + ".example"), "550 5.1.2");
    EXPECT_EQ(answer("a..example"), "550 5.1.2");
}

TEST_F(RouterTest, the_address_of_a_domain_with_mx_is_never_used) {
    dns.mx("both.example", {{10, "no-such-host.example"}});
    dns.address("both.example", {ip("198.51.100.7")});
    EXPECT_EQ(answer("both.example"), "550 5.4.4");
    EXPECT_EQ(dns.asked["both.example"], 1);
}

TEST_F(RouterTest, configured_routes_come_first_the_nearest_wins) {
    auto const add = [&](const char* domain, const char* host, std::uint16_t port) {
        config::Route r;
        r.domain = domain;
        r.host = host;
        r.port = port;
        settings.relay.routes.push_back(r);
    };
    add("*", "smart.example", 2526);
    add("example.net", "10.0.0.7", 25);
    add(".example.net", "[10.0.0.8]", 26);
    add(".deep.example.net", "10.0.0.9", 25);
    add("loop.example", "192.0.2.25", 25);
    add("typo.example", "no-such-host.example", 25);
    add("six.example", "2001:db8::1", 25);
    EXPECT_EQ(answer("example.net"), "10.0.0.7:25");
    EXPECT_EQ(answer("a.example.net"), "10.0.0.8:26");
    EXPECT_EQ(answer("a.deep.example.net"), "10.0.0.9:25");
    EXPECT_EQ(answer("anything.example"), "smart.example:2526");
    EXPECT_EQ(answer("[198.51.100.9]"), "smart.example:2526");
    EXPECT_EQ(answer("six.example"), "[2001:db8::1]:25");
    // The operator's mistakes cost no mail.
    EXPECT_EQ(answer("loop.example"), "4.4.6");
    EXPECT_EQ(answer("typo.example"), "4.4.3");
}

TEST_F(RouterTest, domains_of_the_attached_mta_go_back_to_it) {
    settings.relay.attached = {
        .domains = {"own.example", "example.org"}, .address = "127.0.0.1", .port = 2600};
    config::Route everything;
    everything.domain = "*";
    everything.host = "10.0.0.6";
    config::Route exact;
    exact.domain = "example.org";
    exact.host = "10.0.0.7";
    settings.relay.routes = {everything, exact};
    EXPECT_EQ(answer("own.example"), "127.0.0.1:2600;tls=none");
    EXPECT_EQ(answer("example.org"), "10.0.0.7:25");
    EXPECT_EQ(answer("other.example"), "10.0.0.6:25");
}

TEST_F(RouterTest, a_route_without_host_changes_tls_and_the_site) {
    config::Route r;
    r.domain = "example.net";
    r.tls = config::TlsLevel::verify;
    settings.relay.routes.push_back(r);
    auto const routing = route("example.net");
    auto const& found = std::get<Route>(routing);
    EXPECT_EQ(found.site, "mx1.example.net,mx2.example.net;tls=verify");
    EXPECT_EQ(found.tls, config::TlsLevel::verify);
}

TEST_F(RouterTest, a_password_that_cannot_be_read_makes_wait) {
    auto const file = std::filesystem::path(::testing::TempDir()) / "router-test-password";
    config::Route r;
    r.domain = "*";
    r.host = "smart.example";
    r.user = "me";
    r.password_file = file.string();
    settings.relay.routes.push_back(r);
    std::filesystem::remove(file);
    EXPECT_EQ(answer("example.net"), "4.3.5");
    std::ofstream(file) << "secret\n";
    router->configure(std::make_shared<config::Settings>(settings), {});
    auto const routing = route("example.net");
    EXPECT_EQ(std::get<Route>(routing).login, (Login{"me", "secret"}));
    EXPECT_EQ(std::get<Route>(routing).site, "smart.example:25;user=me");
    std::filesystem::remove(file);
}

TEST_F(RouterTest, a_burst_asks_once_and_an_answer_is_kept_as_long_as_the_dns_allows) {
    start();
    std::vector<std::optional<Routing>> answers(50);
    for (auto& a : answers)
        ask("example.net", a);
    simulation.run_until(simulation.now() + 1s);
    for (auto const& a : answers)
        EXPECT_TRUE(a && std::holds_alternative<Route>(*a));
    EXPECT_EQ(dns.asked["example.net"], 1);
    EXPECT_EQ(dns.asked["mx1.example.net"], 1);

    simulation.run_until(simulation.now() + 9min);
    route("example.net");
    EXPECT_EQ(dns.asked["example.net"], 1);
    simulation.run_until(simulation.now() + 2min);
    route("example.net");
    EXPECT_EQ(dns.asked["example.net"], 2);
}

TEST_F(RouterTest, a_ttl_counts_between_a_minute_and_an_hour) {
    dns.mx("short.example", {{10, "mx1.example.net"}}, 1s);
    dns.mx("long.example", {{10, "eternal.example"}}, 100h);
    dns.address("eternal.example", {ip("198.51.100.4")}, 100h);
    auto const began = simulation.now();
    auto const soon = std::get<Route>(route("short.example"));
    EXPECT_GE(soon.valid_until, began + 1min);
    EXPECT_LE(soon.valid_until, began + 1min + 1s);
    auto const later = std::get<Route>(route("long.example"));
    EXPECT_LE(later.valid_until, simulation.now() + 1h);
    EXPECT_GE(later.valid_until, began + 1h);
}

TEST_F(RouterTest, a_dead_dns_is_not_asked_for_every_message) {
    EXPECT_EQ(answer("broken.example"), "4.4.3");
    EXPECT_EQ(answer("broken.example"), "4.4.3");
    EXPECT_EQ(dns.asked["broken.example"], 1);
    simulation.run_until(simulation.now() + 16s);
    EXPECT_EQ(answer("broken.example"), "4.4.3");
    EXPECT_EQ(dns.asked["broken.example"], 2);
}

TEST_F(RouterTest, whoever_waits_is_answered_when_the_relay_stops) {
    start();
    std::optional<Routing> waiting;
    ask("example.net", waiting);
    simulation.run_until(simulation.now() + 10ms);
    ASSERT_FALSE(waiting);
    asio::co_spawn(machine.executor(), router->stop(), [](std::exception_ptr) {});
    simulation.run_until(simulation.now() + 1s);
    ASSERT_TRUE(waiting);
    EXPECT_TRUE(std::holds_alternative<Unknown>(*waiting));
}

}  // namespace
}  // namespace millrace::relay
