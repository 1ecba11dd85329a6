#pragma once

#include <array>
#include <optional>

#include "tests/contract/worlds.hpp"

namespace millrace::contract {

/// Two ends of one connection.
struct Pair {
    std::unique_ptr<Stream> client;
    std::unique_ptr<Stream> server;
};

inline Time soon(Clock& clock) {
    return clock.now() + std::chrono::seconds(20);
}

template <class World>
Task<Pair> connected(World& world, bool with_certificate = true) {
    Pair pair;
    Network& network = with_certificate ? world.network() : world.plain_network();
    auto listener =
        network.listen(with_certificate ? world.free_endpoint() : world.plain_endpoint());
    EXPECT_TRUE(listener);
    const Endpoint at = (*listener)->local();
    const std::optional<Address> source;
    const Time deadline = soon(world.clock());
    auto client = co_await world.network().connect(at, source, deadline);
    EXPECT_TRUE(client);
    auto server = co_await (*listener)->accept();
    EXPECT_TRUE(server);
    pair.client = std::move(*client);
    pair.server = std::move(*server);
    co_return std::move(pair);
}

inline Task<std::string> read_exactly(Stream& stream, std::size_t size) {
    std::string bytes;
    std::array<char, 4096> buffer;
    while (bytes.size() < size) {
        const std::span<char> room(buffer.data(), std::min(buffer.size(), size - bytes.size()));
        const auto got = co_await stream.read_some(room);
        if (!got) {
            ADD_FAILURE() << "after " << bytes.size() << " bytes: " << got.error().detail;
            break;
        }
        EXPECT_GT(*got, 0U);
        bytes.append(buffer.data(), *got);
    }
    co_return bytes;
}

/// Empty when a byte came.
inline Task<std::optional<Fault>> read_fault(Stream& stream) {
    char byte = 0;
    const std::span<char> room(&byte, 1);
    const auto got = co_await stream.read_some(room);
    co_return got ? std::nullopt : std::optional(got.error().fault);
}

inline Task<std::optional<Fault>> write_fault(Stream& stream) {
    const std::string byte = "x";
    const auto written = co_await stream.write(byte);
    co_return written ? std::nullopt : std::optional(written.error().fault);
}

/// Bytes in which a lost or doubled piece shows.
inline std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    SeededRandom random(size);
    for (char& c : bytes)
        c = static_cast<char>(random.next());
    return bytes;
}

}  // namespace millrace::contract
