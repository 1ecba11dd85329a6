// Goal: libunbound against a server on loopback and the virtual resolver give the same answers to
// the same zones; and no misbehaviour of a server (row xQ1 of the fault matrix) becomes anything
// but `temporary`, which never bounces mail.

#include <algorithm>
#include <fstream>

#include "common/net/unbound_resolver.hpp"
#include "tests/contract/dns_server.hpp"
#include "tests/contract/worlds.hpp"

namespace millrace::contract {
namespace {

Address address(const char* text) {
    return asio::ip::make_address(text);
}

virtual_::VirtualZones example_zones() {
    virtual_::VirtualZones zones;
    zones.add_mail_domain("one.test", "mx.one.test", address("192.0.2.1"));
    auto& two = zones.names["two.test"];
    two.mx = {{20, "b.two.test"}, {10, "a.two.test"}};
    two.ttl = std::chrono::seconds(77);
    zones.names["a.two.test"].addresses = {address("192.0.2.2"), address("2001:db8::2")};
    zones.names["b.two.test"].addresses = {address("2001:db8::3")};
    zones.names["only-address.test"].addresses = {address("192.0.2.9")};
    zones.names["alias.test"].alias = "two.test";
    zones.names["dangling.test"].alias = "nowhere.test";
    zones.names["broken.test"].fails = true;
    zones.names["text.test"].txt = {"v=spf1 -all", std::string(250, 'x')};
    zones.add_null_mx("never.test");
    zones.add_reverse(address("192.0.2.9"), "only-address.test");
    zones.add_reverse(address("2001:db8::2"), "A.two.test");
    zones.add_reverse(address("2001:db8::2"), "b.two.test");
    return zones;
}

class RealResolver {
  public:
    RealResolver() {
        ResolverSettings settings;
        settings.servers = {server.at()};
        settings.dnssec = false;
        use(settings);
    }
    void use(const ResolverSettings& settings) {
        auto made = UnboundResolver::make(world.executor(), settings);
        EXPECT_TRUE(made) << (made ? "" : made.error().detail);
        resolver = std::move(*made);
    }
    Resolver& get() { return *resolver; }
    void run(Task<void> conversation) {
        bool done = false;
        asio::co_spawn(loop, std::move(conversation), [&done](std::exception_ptr thrown) {
            done = true;
            if (thrown) std::rethrow_exception(thrown);
        });
        const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (!done && std::chrono::steady_clock::now() < limit) {
            loop.run_one_for(std::chrono::seconds(1));
        }
        EXPECT_TRUE(done);
    }
    unsigned asked(const std::string& name) { return server.asked(name); }

    asio::io_context loop{1};
    struct {
        asio::io_context& io;
        asio::any_io_executor executor() { return io.get_executor(); }
    } world{loop};
    virtual_::VirtualZones zones = example_zones();
    DnsServer server{loop, zones};
    std::unique_ptr<UnboundResolver> resolver;
};

class SimulatedResolver {
  public:
    ~SimulatedResolver() { simulation.shutdown(); }
    Resolver& get() { return resolver; }
    void run(Task<void> conversation) {
        bool done = false;
        asio::co_spawn(machine.executor(), std::move(conversation), [&done](std::exception_ptr) {
            done = true;
        });
        const auto end = [&done] {
            return done;
        };
        EXPECT_TRUE(simulation.run_until(end, simulation.now() + std::chrono::minutes(1)));
    }

    SeededRandom random{1};
    virtual_::Simulation simulation{from_unix_millis(1'790'000'000'000)};
    virtual_::Machine& machine = simulation.machine("resolver");
    virtual_::VirtualZones zones = example_zones();
    virtual_::VirtualResolver resolver{machine, random, zones};
};

template <class World>
class ResolverContract : public ::testing::Test {
  protected:
    World world;
};
using ResolverWorlds = ::testing::Types<RealResolver, SimulatedResolver>;
TYPED_TEST_SUITE(ResolverContract, ResolverWorlds);

Task<void> found(Resolver& resolver) {
    auto two = co_await resolver.mx("two.test");
    EXPECT_EQ(two.status, DnsStatus::found) << two.detail;
    std::sort(two.records.begin(), two.records.end());
    const std::vector<MxRecord> expected = {{10, "a.two.test"}, {20, "b.two.test"}};
    EXPECT_EQ(two.records, expected);
    EXPECT_LE(two.ttl, std::chrono::seconds(77));
    EXPECT_GE(two.ttl, std::chrono::seconds(60));
    EXPECT_FALSE(two.secure);
    const auto upper = co_await resolver.mx("TWO.test");
    EXPECT_EQ(upper.status, DnsStatus::found);
    auto hosts = co_await resolver.addresses("a.two.test");
    std::sort(hosts.records.begin(), hosts.records.end());
    const std::vector<Address> both = {address("192.0.2.2"), address("2001:db8::2")};
    EXPECT_EQ(hosts.records, both);
    const auto six = co_await resolver.addresses("b.two.test");
    EXPECT_EQ(six.status, DnsStatus::found);
    EXPECT_EQ(six.records.size(), 1U);
    const auto back = co_await resolver.names(address("192.0.2.9"));
    EXPECT_EQ(back.records, std::vector<std::string>{"only-address.test"}) << back.detail;
    auto names = co_await resolver.names(address("2001:db8::2"));
    std::sort(names.records.begin(), names.records.end());
    EXPECT_EQ(names.records, (std::vector<std::string>{"a.two.test", "b.two.test"}));
    const auto nameless = co_await resolver.names(address("2001:db8::3"));
    EXPECT_EQ(nameless.status, DnsStatus::no_name);
    EXPECT_TRUE(nameless.records.empty());
    auto text = co_await resolver.txt("text.test");
    std::sort(text.records.begin(), text.records.end());
    EXPECT_EQ(text.records.size(), 2U);
    EXPECT_EQ(text.records.at(0), "v=spf1 -all");
    EXPECT_EQ(text.records.at(1), std::string(250, 'x')) << "strings of one record are joined";
}

TYPED_TEST(ResolverContract, FindsWhatIsThere) {
    this->world.run(found(this->world.get()));
}

Task<void> negative(Resolver& resolver) {
    const auto none = co_await resolver.mx("nowhere.test");
    EXPECT_EQ(none.status, DnsStatus::no_name);
    EXPECT_GT(none.ttl, Duration::zero());
    const auto no_mx = co_await resolver.mx("only-address.test");
    EXPECT_EQ(no_mx.status, DnsStatus::no_data);
    const auto no_address = co_await resolver.addresses("text.test");
    EXPECT_EQ(no_address.status, DnsStatus::no_data);
    const auto nobody = co_await resolver.addresses("nowhere.test");
    EXPECT_EQ(nobody.status, DnsStatus::no_name);
    const auto null = co_await resolver.mx("never.test");
    EXPECT_EQ(null.status, DnsStatus::found);
    EXPECT_EQ(null.records.size(), 1U);
    EXPECT_EQ(null.records.at(0), (MxRecord{0, ""}));
}

TYPED_TEST(ResolverContract, TellsNoNameFromNoData) {
    this->world.run(negative(this->world.get()));
}

Task<void> aliases(Resolver& resolver) {
    const auto two = co_await resolver.mx("alias.test");
    EXPECT_EQ(two.status, DnsStatus::found);
    EXPECT_EQ(two.records.size(), 2U);
    const auto dangling = co_await resolver.mx("dangling.test");
    EXPECT_EQ(dangling.status, DnsStatus::no_name);
}

TYPED_TEST(ResolverContract, FollowsAliases) {
    this->world.run(aliases(this->world.get()));
}

Task<void> broken(Resolver& resolver) {
    const auto mx = co_await resolver.mx("broken.test");
    EXPECT_EQ(mx.status, DnsStatus::temporary);
    EXPECT_TRUE(mx.records.empty());
    EXPECT_NE(mx.detail.find("SERVFAIL"), std::string::npos) << mx.detail;
    const auto hosts = co_await resolver.addresses("broken.test");
    EXPECT_EQ(hosts.status, DnsStatus::temporary);
}

TYPED_TEST(ResolverContract, SaysTemporaryForServfail) {
    this->world.run(broken(this->world.get()));
}

Task<void> remembers(Resolver& resolver, virtual_::VirtualZones& zones) {
    EXPECT_EQ((co_await resolver.mx("one.test")).records.at(0).host, "mx.one.test");
    EXPECT_EQ((co_await resolver.mx("later.test")).status, DnsStatus::no_name);
    zones.names["one.test"].mx = {{10, "changed.one.test"}};
    zones.names["later.test"].mx = {{10, "mx.later.test"}};
    EXPECT_EQ((co_await resolver.mx("one.test")).records.at(0).host, "mx.one.test");
    EXPECT_EQ((co_await resolver.mx("later.test")).status, DnsStatus::no_name);
}

TYPED_TEST(ResolverContract, RemembersAnswersForTheirTime) {
    this->world.run(remembers(this->world.get(), this->world.zones));
}

struct Misbehaviour {
    const char* name;
    DnsServer::Manner manner;
    DnsStatus expected;
};

Task<void> ask_all(Resolver& resolver, const std::vector<Misbehaviour>& all) {
    for (const Misbehaviour& one : all) {
        const std::string name = one.name;
        const auto mx = co_await resolver.mx(name);
        EXPECT_EQ(mx.status, one.expected) << one.name << ": " << mx.detail;
        if (mx.status == DnsStatus::temporary) EXPECT_FALSE(mx.detail.empty()) << one.name;
    }
}

TEST(UnboundResolver, TakesNoMisbehaviourForAnAnswer) {
    RealResolver world;
    using enum DnsServer::Manner;
    const std::vector<Misbehaviour> all = {
        {"servfail.test", servfail, DnsStatus::temporary},
        {"refused.test", refused, DnsStatus::temporary},
        {"garbage.test", garbage, DnsStatus::temporary},
        {"silent.test", silent, DnsStatus::temporary},
        {"wrong-id.test", wrong_id, DnsStatus::temporary},
        {"no-tcp.test", no_tcp, DnsStatus::temporary},
        {"truncated.test", truncated, DnsStatus::found},
    };
    for (const Misbehaviour& one : all) {
        world.zones.names[one.name].mx = {{10, "mx.one.test"}};
        world.server.misbehave(one.name, 0, one.manner);
    }
    ResolverSettings settings;
    settings.servers = {world.server.at()};
    settings.dnssec = false;
    settings.limit = std::chrono::seconds(3);
    world.use(settings);
    world.run(ask_all(world.get(), all));
    for (const Misbehaviour& one : all)
        EXPECT_GT(world.asked(one.name), 0U) << one.name;
}

Task<void> halves(Resolver& resolver) {
    const auto half = co_await resolver.addresses("half.test");
    EXPECT_EQ(half.status, DnsStatus::found) << "one family failed, the other is there";
    EXPECT_EQ(half.records.size(), 1U);
    const auto other = co_await resolver.addresses("other-half.test");
    EXPECT_EQ(other.status, DnsStatus::temporary) << "one family failed, the other is empty";
}

TEST(UnboundResolver, LetsHalfAnAnswerDoOnlyWhenItHasAddresses) {
    RealResolver world;
    for (const char* name : {"half.test", "other-half.test"}) {
        world.zones.names[name].addresses = {address("192.0.2.5")};
    }
    world.server.misbehave("half.test", 28, DnsServer::Manner::servfail);
    world.server.misbehave("other-half.test", 1, DnsServer::Manner::servfail);
    world.run(halves(world.get()));
}

Task<void> nonsense(Resolver& resolver) {
    const std::string label(64, 'a');
    EXPECT_EQ((co_await resolver.mx(label + ".test")).status, DnsStatus::no_name);
    EXPECT_EQ((co_await resolver.mx("a..test")).status, DnsStatus::no_name);
    EXPECT_EQ((co_await resolver.mx("something.invalid")).status, DnsStatus::no_name);
    const auto self = co_await resolver.addresses("localhost");
    EXPECT_EQ(self.status, DnsStatus::found);
    for (const Address& one : self.records)
        EXPECT_TRUE(one.is_loopback());
}

TEST(UnboundResolver, KnowsWhatCannotExist) {
    RealResolver world;
    world.run(nonsense(world.get()));
}

Task<void> one_of_many(Resolver& resolver, int i, int& found_so_far) {
    const std::string name = "n" + std::to_string(i) + ".test";
    const auto mx = co_await resolver.mx(name);
    if (mx.status == DnsStatus::found) ++found_so_far;
}

Task<void> until(asio::io_context& loop, const int& value, int all) {
    asio::steady_timer timer(loop);
    while (value < all) {
        timer.expires_after(std::chrono::milliseconds(2));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

TEST(UnboundResolver, AsksThousandsAFewAtATime) {
    RealResolver world;
    constexpr int all = 2000;
    for (int i = 0; i < all; ++i) {
        world.zones.names["n" + std::to_string(i) + ".test"].mx = {{10, "mx.one.test"}};
    }
    ResolverSettings settings;
    settings.servers = {world.server.at()};
    settings.dnssec = false;
    settings.in_flight_max = 20;
    world.use(settings);
    int found_so_far = 0;
    for (int i = 0; i < all; ++i) {
        asio::co_spawn(
            world.loop, one_of_many(world.get(), i, found_so_far), [](std::exception_ptr) {});
    }
    world.run(until(world.loop, found_so_far, all));
    EXPECT_EQ(found_so_far, all);
}

Task<void> bogus(Resolver& resolver) {
    const auto unsigned_zone = co_await resolver.mx("mail.signed.test");
    EXPECT_EQ(unsigned_zone.status, DnsStatus::temporary);
    EXPECT_NE(unsigned_zone.detail.find("DNSSEC"), std::string::npos) << unsigned_zone.detail;
    const auto elsewhere = co_await resolver.mx("one.test");
    EXPECT_EQ(elsewhere.status, DnsStatus::found);
    EXPECT_FALSE(elsewhere.secure);
}

TEST(UnboundResolver, TrustsNoUnsignedAnswerFromASignedZone) {
    RealResolver world;
    world.zones.names["mail.signed.test"].mx = {{10, "mx.one.test"}};
    const std::string file = ::testing::TempDir() + "millrace-anchor-" + std::to_string(::getpid());
    std::ofstream(file) << "signed.test. IN DS 12345 13 2 " << std::string(64, 'A') << "\n";
    ResolverSettings settings;
    settings.servers = {world.server.at()};
    settings.trust_anchors = {"/nonexistent/root.key", file};
    settings.limit = std::chrono::seconds(8);
    world.use(settings);
    EXPECT_TRUE(world.resolver->validates());
    world.run(bogus(world.get()));
    std::remove(file.c_str());
}

Task<void> ask_and_count(Resolver& resolver, int& answers) {
    const auto answer = co_await resolver.mx("silent.test");
    EXPECT_EQ(answer.status, DnsStatus::temporary);
    ++answers;
}

TEST(UnboundResolver, AnswersWhatIsOpenWhenItGoes) {
    RealResolver world;
    world.server.misbehave("silent.test", 0, DnsServer::Manner::silent);
    int answers = 0;
    for (int i = 0; i < 3; ++i) {
        asio::co_spawn(world.loop, ask_and_count(world.get(), answers), [](std::exception_ptr) {});
    }
    world.loop.poll();
    world.resolver.reset();
    world.run(until(world.loop, answers, 3));
    EXPECT_EQ(answers, 3);
}

}  // namespace
}  // namespace millrace::contract
