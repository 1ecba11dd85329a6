// Goal: what the relay relies on in TLS holds in the real version and in the stand-in: who is
// verified, what a cut looks like, and that nothing said before the handshake survives it.

#include "tests/contract/pair.hpp"

namespace millrace::contract {
namespace {

template <class World>
class TlsContract : public Contract<World> {};
TYPED_TEST_SUITE(TlsContract, Worlds);

Task<void> serve(Stream& stream, std::optional<Result<void>>& outcome) {
    outcome = co_await stream.start_tls_server();
}

struct Handshake {
    Result<void> client;
    Result<void> server;
};

template <class World>
Task<Handshake> shake(World& world, Pair& pair, TlsClient options) {
    const Time limit = soon(world.clock());
    pair.client->expires_at(limit);
    pair.server->expires_at(limit);
    std::optional<Result<void>> server;
    world.spawn(serve(*pair.server, server));
    Handshake both;
    both.client = co_await pair.client->start_tls_client(std::move(options));
    while (!server)
        co_await world.clock().sleep(std::chrono::milliseconds(1));
    both.server = *server;
    co_return both;
}

TlsClient to(const char* name, bool verify) {
    TlsClient options;
    options.server_name = name;
    options.verify = verify;
    return options;
}

Task<void> echo(Stream& stream, std::size_t size, bool& done) {
    const std::string bytes = co_await read_exactly(stream, size);
    EXPECT_TRUE(co_await stream.write(bytes));
    done = true;
}

template <class World>
Task<void> verified(World& world) {
    Pair pair = co_await connected(world);
    EXPECT_FALSE(pair.client->tls());
    TlsClient options = to("mx.example.net", true);
    const Handshake both = co_await shake(world, pair, options);
    EXPECT_TRUE(both.client) << both.client.error().detail;
    EXPECT_TRUE(both.server) << both.server.error().detail;
    const auto info = pair.client->tls();
    EXPECT_TRUE(info && info->verified);
    EXPECT_TRUE(info && info->protocol == "TLSv1.3");
    EXPECT_TRUE(info && !info->cipher.empty());
    EXPECT_TRUE(pair.server->tls());
    const std::string bulk = pattern(3'000'000);
    bool done = false;
    world.spawn(echo(*pair.server, bulk.size(), done));
    EXPECT_TRUE(co_await pair.client->write(bulk));
    EXPECT_TRUE(co_await read_exactly(*pair.client, bulk.size()) == bulk);
    pair.server->close();
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::closed);
}

TYPED_TEST(TlsContract, EncryptsAndKnowsThePeer) {
    this->world.run(verified(this->world));
}

Task<void> stream_out(Stream& stream, const std::string& bytes, int& done) {
    EXPECT_TRUE(co_await stream.write(bytes));
    ++done;
}

Task<void> stream_in(Stream& stream, const std::string& bytes, int& done) {
    EXPECT_TRUE(co_await read_exactly(stream, bytes.size()) == bytes);
    ++done;
}

template <class World>
Task<void> both_ways(World& world) {
    Pair pair = co_await connected(world);
    TlsClient options = to("mx.example.net", false);
    const Handshake both = co_await shake(world, pair, options);
    EXPECT_TRUE(both.client && both.server);
    const std::string up = pattern(2'000'000), down = pattern(2'500'000);
    int done = 0;
    world.spawn(stream_out(*pair.client, up, done));
    world.spawn(stream_out(*pair.server, down, done));
    world.spawn(stream_in(*pair.server, up, done));
    world.spawn(stream_in(*pair.client, down, done));
    while (done < 4)
        co_await world.clock().sleep(std::chrono::milliseconds(1));
}

TYPED_TEST(TlsContract, ReadsAndWritesAtTheSameTime) {
    this->world.run(both_ways(this->world));
}

// Bytes that were decrypted with others and not taken yet come from no socket any more.
template <class World>
Task<void> readable_in_tls(World& world) {
    Pair pair = co_await connected(world);
    TlsClient options = to("mx.example.net", false);
    const Handshake both = co_await shake(world, pair, options);
    EXPECT_TRUE(both.client && both.server);
    const std::string two = "ab";
    EXPECT_TRUE(co_await pair.server->write(two));
    for (const char* expected : {"a", "b"}) {
        EXPECT_TRUE(co_await pair.client->readable());
        EXPECT_EQ(co_await read_exactly(*pair.client, 1), expected);
    }
    pair.server->close();
    EXPECT_TRUE(co_await pair.client->readable());
    EXPECT_EQ(co_await read_fault(*pair.client), Fault::closed);
}

TYPED_TEST(TlsContract, TellsWhenThereIsSomethingToRead) {
    this->world.run(readable_in_tls(this->world));
}

template <class World>
Task<void> wrong_name(World& world, bool verify) {
    Pair pair = co_await connected(world);
    TlsClient options = to("mx.example.org", verify);
    const Handshake both = co_await shake(world, pair, options);
    if (verify) {
        EXPECT_FALSE(both.client);
        if (!both.client) EXPECT_EQ(both.client.error().fault, Fault::tls);
        EXPECT_TRUE((co_await read_fault(*pair.server)).has_value());
    } else {
        EXPECT_TRUE(both.client);
        EXPECT_TRUE(pair.client->tls() && !pair.client->tls()->verified);
    }
}

TYPED_TEST(TlsContract, RefusesAWrongNameWhenAskedTo) {
    this->world.run(wrong_name(this->world, true));
}

TYPED_TEST(TlsContract, NotesAWrongNameOtherwise) {
    this->world.run(wrong_name(this->world, false));
}

template <class World>
Task<void> no_certificate(World& world) {
    Pair pair = co_await connected(world, false);
    TlsClient options = to("mx.example.net", false);
    const Handshake both = co_await shake(world, pair, options);
    EXPECT_FALSE(both.client);
    EXPECT_FALSE(both.server);
    if (!both.server) EXPECT_EQ(both.server.error().fault, Fault::tls);
}

TYPED_TEST(TlsContract, NeedsACertificateToServe) {
    this->world.run(no_certificate(this->world));
}

template <class World>
Task<void> clear_text(World& world) {
    Pair pair = co_await connected(world);
    // CVE-2011-0411: what was sent before the handshake must not be read after it.
    const std::string injected = "RSET\r\nMAIL FROM:<evil@example.org>\r\n";
    EXPECT_TRUE(co_await pair.client->write(injected));
    TlsClient options = to("mx.example.net", false);
    const Handshake both = co_await shake(world, pair, options);
    EXPECT_FALSE(both.server);
    if (!both.server) EXPECT_EQ(both.server.error().fault, Fault::tls);
    EXPECT_FALSE(both.client);
}

TYPED_TEST(TlsContract, RefusesClearTextBeforeTheHandshake) {
    this->world.run(clear_text(this->world));
}

/// Carries bytes one way until told to stop, then ends the connection: a cut that TLS can tell from
/// an end.
Task<void> carry(Stream& from, Stream& to, int& ended) {
    std::array<char, 4096> buffer;
    for (;;) {
        const std::span<char> room(buffer);
        const auto got = co_await from.read_some(room);
        if (!got) break;
        const std::string bytes(buffer.data(), *got);
        if (!co_await to.write(bytes)) break;
    }
    ++ended;
}

template <class World>
Task<void> truncated(World& world) {
    Pair left = co_await connected(world), right = co_await connected(world);
    int ended = 0;
    world.spawn(carry(*left.server, *right.client, ended));
    world.spawn(carry(*right.client, *left.server, ended));
    Pair ends{std::move(left.client), std::move(right.server)};
    TlsClient options = to("mx.example.net", true);
    const Handshake both = co_await shake(world, ends, options);
    EXPECT_TRUE(both.client && both.server);
    const std::string half = "DATA half of a mess";
    EXPECT_TRUE(co_await ends.client->write(half));
    EXPECT_EQ(co_await read_exactly(*ends.server, half.size()), half);
    right.client->close();
    EXPECT_EQ(co_await read_fault(*ends.server), Fault::reset);
    left.server->close();
    while (ended < 2)
        co_await world.clock().sleep(std::chrono::milliseconds(1));
}

TYPED_TEST(TlsContract, TellsACutFromAnEnd) {
    this->world.run(truncated(this->world));
}

}  // namespace
}  // namespace millrace::contract
