// Goal: a stream over a socket and one over a virtual wire cannot be told apart by the code that
// uses them: data, ends, deadlines, failures.

#include "common/net/stream.hpp"

#include <boost/asio/post.hpp>

#include "tests/contract/pair.hpp"

namespace millrace::contract {
namespace {

template <class World>
class StreamContract : public Contract<World> {};
TYPED_TEST_SUITE(StreamContract, Worlds);

template <class World>
Task<void> carries(World& world) {
    Pair pair = co_await connected(world);
    EXPECT_EQ(pair.client->peer(), pair.server->local());
    EXPECT_EQ(pair.server->peer(), pair.client->local());
    const std::string hello = "EHLO client.example\r\n";
    EXPECT_TRUE(co_await pair.client->write(hello));
    EXPECT_EQ(co_await read_exactly(*pair.server, hello.size()), hello);
    const std::string empty;
    EXPECT_TRUE(co_await pair.server->write(empty));
    const std::string reply("250 \0 ok\r\n", 10);
    EXPECT_TRUE(co_await pair.server->write(reply));
    EXPECT_EQ(co_await read_exactly(*pair.client, reply.size()), reply);
}

TYPED_TEST(StreamContract, CarriesBytesBothWays) {
    this->world.run(carries(this->world));
}

Task<void> write_all(Stream& stream, const std::string& bytes, bool& done) {
    EXPECT_TRUE(co_await stream.write(bytes));
    done = true;
}

template <class World>
Task<void> holds_the_writer(World& world) {
    Pair pair = co_await connected(world);
    const std::string bulk = pattern(16 << 20);
    bool written = false;
    world.spawn(write_all(*pair.client, bulk, written));
    co_await world.clock().sleep(world.longer_than_an_answer());
    EXPECT_FALSE(written) << "nobody has read, and yet 16 MiB were taken";
    EXPECT_TRUE(co_await read_exactly(*pair.server, bulk.size()) == bulk);
    while (!written)
        co_await world.clock().sleep(std::chrono::milliseconds(1));
}

TYPED_TEST(StreamContract, HoldsTheWriterUntilTheReaderReads) {
    this->world.run(holds_the_writer(this->world));
}

template <class World>
Task<void> orderly_end(World& world) {
    Pair pair = co_await connected(world);
    const std::string last = "221 bye\r\n";
    EXPECT_TRUE(co_await pair.server->write(last));
    pair.server->close();
    pair.server->close();
    EXPECT_EQ(co_await read_exactly(*pair.client, last.size()), last);
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::closed);
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::closed) << "a failure is for good";
    EXPECT_EQ(co_await write_fault(*pair.client), Fault::closed);
    EXPECT_EQ(co_await read_fault(*pair.server), Fault::cancelled);
}

TYPED_TEST(StreamContract, DeliversWhatWasWrittenBeforeTheEnd) {
    this->world.run(orderly_end(this->world));
}

template <class World>
Task<void> writes_to_nobody(World& world) {
    Pair pair = co_await connected(world);
    pair.server->close();
    std::optional<Fault> fault;
    for (int i = 0; i < 200 && !fault; ++i) {  // the first ones go out before the answer comes
        fault = co_await write_fault(*pair.client);
        co_await world.clock().sleep(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(fault, Fault::reset);
}

TYPED_TEST(StreamContract, TellsAWriterThatNobodyReads) {
    this->world.run(writes_to_nobody(this->world));
}

template <class World>
Task<void> unread_input(World& world) {
    Pair pair = co_await connected(world);
    EXPECT_FALSE(co_await write_fault(*pair.client));
    co_await world.clock().sleep(world.longer_than_an_answer());
    pair.server->close();
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::reset);
}

TYPED_TEST(StreamContract, ResetsWhenClosedWithUnreadInput) {
    this->world.run(unread_input(this->world));
}

template <class World>
Task<void> deadline(World& world) {
    Pair pair = co_await connected(world);
    const Time limit = world.clock().now() + std::chrono::milliseconds(50);
    pair.client->expires_at(limit);
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::timed_out);
    EXPECT_GE(world.clock().now(), limit);
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::timed_out);
    EXPECT_EQ(co_await read_fault(*pair.server), Fault::closed) << "the stream must be closed";
}

TYPED_TEST(StreamContract, EndsAReadAtItsDeadline) {
    this->world.run(deadline(this->world));
}

template <class World>
Task<void> write_deadline(World& world) {
    Pair pair = co_await connected(world);
    const std::string bulk(16 << 20, 'x');
    pair.client->expires_at(world.clock().now() + std::chrono::milliseconds(50));
    const auto written = co_await pair.client->write(bulk);
    EXPECT_FALSE(written);
    if (!written) EXPECT_EQ(written.error().fault, Fault::timed_out);
}

TYPED_TEST(StreamContract, EndsAWriteAtItsDeadline) {
    this->world.run(write_deadline(this->world));
}

Task<void> write_later(Clock& clock, Stream& stream, Duration after) {
    co_await clock.sleep(after);
    const std::string byte = "x";
    EXPECT_TRUE(co_await stream.write(byte));
}

template <class World>
Task<void> moved_deadline(World& world) {
    Pair pair = co_await connected(world);
    const Time now = world.clock().now();
    // Passed while nobody was waiting: no harm. Then moved to later, then to earlier.
    pair.client->expires_at(now + std::chrono::milliseconds(5));
    co_await world.clock().sleep(std::chrono::milliseconds(10));
    pair.client->expires_at(now + std::chrono::seconds(20));
    world.spawn(write_later(world.clock(), *pair.server, std::chrono::milliseconds(20)));
    EXPECT_EQ(co_await read_exactly(*pair.client, 1), "x");
    pair.client->expires_at(world.clock().now() + std::chrono::milliseconds(20));
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::timed_out);
    EXPECT_LT(world.clock().now() - now, std::chrono::seconds(15));
}

TYPED_TEST(StreamContract, FollowsADeadlineThatMoves) {
    this->world.run(moved_deadline(this->world));
}

Task<void> set_deadline_later(Clock& clock, Stream& stream) {
    co_await clock.sleep(std::chrono::milliseconds(10));
    stream.expires_at(clock.now() + std::chrono::milliseconds(20));
}

template <class World>
Task<void> deadline_while_waiting(World& world) {
    Pair pair = co_await connected(world);
    world.spawn(set_deadline_later(world.clock(), *pair.client));
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::timed_out);
}

TYPED_TEST(StreamContract, BoundsAReadThatIsWaitingAlready) {
    this->world.run(deadline_while_waiting(this->world));
}

template <class World>
Task<void> readable(World& world) {
    Pair pair = co_await connected(world);
    world.spawn(write_later(world.clock(), *pair.server, std::chrono::milliseconds(20)));
    const Time before = world.clock().now();
    EXPECT_TRUE(co_await pair.client->readable());
    EXPECT_GE(world.clock().now() - before, std::chrono::milliseconds(15)) << "nothing had come";
    EXPECT_TRUE(co_await pair.client->readable()) << "it is still there";
    EXPECT_EQ(co_await read_exactly(*pair.client, 1), "x");
    pair.client->expires_at(world.clock().now() + std::chrono::milliseconds(20));
    const auto late = co_await pair.client->readable();
    EXPECT_FALSE(late);
    if (!late) EXPECT_EQ(late.error().fault, Fault::timed_out);
    EXPECT_EQ(co_await read_fault(*pair.server), Fault::closed) << "the stream must be closed";
}

TYPED_TEST(StreamContract, TellsWhenThereIsSomethingToRead) {
    this->world.run(readable(this->world));
}

template <class World>
Task<void> readable_at_the_end(World& world) {
    Pair pair = co_await connected(world);
    pair.server->close();
    EXPECT_TRUE(co_await pair.client->readable()) << "the end is something to read";
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::closed);
    EXPECT_FALSE(co_await pair.client->readable());
    EXPECT_FALSE(co_await pair.server->readable());
}

TYPED_TEST(StreamContract, TheEndIsReadable) {
    this->world.run(readable_at_the_end(this->world));
}

Task<void> close_later(Clock& clock, Stream& stream) {
    co_await clock.sleep(std::chrono::milliseconds(10));
    stream.close();
}

template <class World>
Task<void> closed_by_owner(World& world) {
    Pair pair = co_await connected(world);
    world.spawn(close_later(world.clock(), *pair.client));
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::cancelled);
    EXPECT_EQ(co_await read_fault(*pair.server), Fault::closed);
}

TYPED_TEST(StreamContract, CloseEndsAWaitingRead) {
    this->world.run(closed_by_owner(this->world));
}

Task<void> read_until_gone(Stream& stream, std::optional<Fault>& fault) {
    fault = co_await read_fault(stream);
}

template <class World>
Task<void> destroyed(World& world) {
    Pair pair = co_await connected(world);
    std::optional<Fault> fault;
    world.spawn(read_until_gone(*pair.client, fault));
    co_await world.clock().sleep(std::chrono::milliseconds(10));
    pair.client.reset();
    while (!fault)
        co_await world.clock().sleep(std::chrono::milliseconds(1));
    EXPECT_EQ(fault, Fault::cancelled);
}

TYPED_TEST(StreamContract, SurvivesItsOwnersDeathDuringARead) {
    this->world.run(destroyed(this->world));
}

}  // namespace
}  // namespace millrace::contract
