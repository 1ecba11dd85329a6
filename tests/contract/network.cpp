// Goal: connecting and listening succeed and fail in the same words in both versions.

#include "common/net/network.hpp"

#include "tests/contract/pair.hpp"

namespace millrace::contract {
namespace {

template <class World>
class NetworkContract : public Contract<World> {};
TYPED_TEST_SUITE(NetworkContract, Worlds);

template <class World>
Task<void> nobody_there(World& world) {
    auto listener = world.network().listen(world.free_endpoint());
    EXPECT_TRUE(listener);
    const Endpoint at = (*listener)->local();
    EXPECT_NE(at.port, 0);
    listener->reset();
    const std::optional<Address> source;
    const Time deadline = soon(world.clock());
    const auto stream = co_await world.network().connect(at, source, deadline);
    EXPECT_FALSE(stream);
    if (!stream) {
        EXPECT_EQ(stream.error().fault, Fault::refused);
        EXPECT_NE(stream.error().detail.find(at.text()), std::string::npos);
    }
}

TYPED_TEST(NetworkContract, SaysRefusedWhenNobodyListens) {
    this->world.run(nobody_there(this->world));
}

template <class World>
Task<void> no_time(World& world) {
    auto listener = world.network().listen(world.free_endpoint());
    const std::optional<Address> source;
    const Time deadline = world.clock().now() - std::chrono::seconds(1);
    const auto stream = co_await world.network().connect((*listener)->local(), source, deadline);
    EXPECT_FALSE(stream);
    if (!stream) EXPECT_EQ(stream.error().fault, Fault::timed_out);
}

TYPED_TEST(NetworkContract, SaysTimedOutAfterTheDeadline) {
    this->world.run(no_time(this->world));
}

template <class World>
Task<void> source(World& world) {
    auto listener = world.network().listen(world.free_endpoint());
    const Endpoint at = (*listener)->local();
    const Time deadline = soon(world.clock());
    const std::optional<Address> own = asio::ip::make_address("127.0.0.7");
    const auto good = co_await world.network().connect(at, own, deadline);
    EXPECT_TRUE(good);
    if (good) EXPECT_EQ((*good)->local().address, own);
    const std::optional<Address> foreign = asio::ip::make_address("203.0.113.77");
    const auto bad = co_await world.network().connect(at, foreign, deadline);
    EXPECT_FALSE(bad);
    if (!bad) EXPECT_EQ(bad.error().fault, Fault::unavailable);
}

TYPED_TEST(NetworkContract, SendsFromTheGivenSourceOnly) {
    this->world.run(source(this->world));
}

TYPED_TEST(NetworkContract, RefusesAPortInUseAndNamesTheHolder) {
    auto first = this->world.network().listen(this->world.free_endpoint());
    ASSERT_TRUE(first);
    const Endpoint at = (*first)->local();
    const auto second = this->world.network().listen(at);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().fault, Fault::refused);
    const std::string& text = second.error().detail;
    EXPECT_NE(text.find("port " + std::to_string(at.port)), std::string::npos) << text;
    EXPECT_NE(text.find("contract"), std::string::npos) << "who holds it: " << text;
    first->reset();
    EXPECT_TRUE(this->world.network().listen(at)) << "the port must be free again";
}

template <class World>
Task<void> close_listener(World& world, Listener& listener) {
    co_await world.clock().sleep(std::chrono::milliseconds(5));
    listener.close();
}

template <class World>
Task<void> closed_listener(World& world) {
    auto listener = world.network().listen(world.free_endpoint());
    const Endpoint at = (*listener)->local();
    const std::optional<Address> any;
    auto client = co_await world.network().connect(at, any, soon(world.clock()));
    auto server = co_await (*listener)->accept();
    world.spawn(close_listener(world, **listener));
    const auto stream = co_await (*listener)->accept();
    EXPECT_FALSE(stream);
    if (!stream) EXPECT_EQ(stream.error().fault, Fault::cancelled);
    const std::string hello = "220 still here\r\n";
    EXPECT_TRUE(co_await (*server)->write(hello));
    EXPECT_EQ(co_await read_exactly(**client, hello.size()), hello);
}

TYPED_TEST(NetworkContract, ClosedListenersAcceptNobodyAndLeaveOthersAlone) {
    this->world.run(closed_listener(this->world));
}

}  // namespace
}  // namespace millrace::contract
