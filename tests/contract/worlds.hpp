#pragma once

#include <memory>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "common/net/asio_clock.hpp"
#include "common/net/asio_network.hpp"
#include "common/net/random.hpp"
#include "common/net/thread_work_pool.hpp"
#include "common/virtual/network.hpp"
#include "common/virtual/resolver.hpp"
#include "common/virtual/work_pool.hpp"
#include "tests/contract/certificate.hpp"

namespace millrace::contract {

/// The real seams on loopback. One loop serves both ends of every conversation.
class RealWorld {
  public:
    static constexpr bool is_virtual = false;

    RealWorld() {
        const TestCertificate certificate("mx.example.net");
        EXPECT_TRUE(tls_.load({certificate.file(), "", certificate.file()}));
    }

    Clock& clock() { return clock_; }
    Network& network() { return network_; }
    WorkPool& pool() { return pool_; }
    asio::any_io_executor executor() { return loop_.get_executor(); }
    Endpoint free_endpoint() { return {asio::ip::make_address("127.0.0.1"), 0}; }
    Endpoint plain_endpoint() { return {asio::ip::make_address("127.0.0.2"), 0}; }
    /// The network without a certificate for those who connect.
    Network& plain_network() { return plain_network_; }
    Duration longer_than_an_answer() const { return std::chrono::milliseconds(80); }

    /// Runs the conversation to its end; a minute is for ever.
    void run(Task<void> conversation) {
        bool done = false;
        asio::co_spawn(loop_, std::move(conversation), [&done](std::exception_ptr thrown) {
            done = true;
            if (thrown) std::rethrow_exception(thrown);
        });
        const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        loop_.restart();
        while (!done && std::chrono::steady_clock::now() < limit) {
            loop_.run_one_for(std::chrono::seconds(1));
            loop_.restart();
        }
        EXPECT_TRUE(done) << "the conversation did not end";
    }
    void spawn(Task<void> conversation) {
        asio::co_spawn(loop_, std::move(conversation), [](std::exception_ptr thrown) {
            if (thrown) std::rethrow_exception(thrown);
        });
    }

  private:
    asio::io_context loop_{1};
    AsioClock clock_;
    TlsContext tls_;
    TlsContext no_tls_;
    AsioNetwork network_{loop_.get_executor(), clock_, tls_};
    AsioNetwork plain_network_{loop_.get_executor(), clock_, no_tls_};
    ThreadWorkPool pool_{2};
};

/// The simulated ones, on one virtual computer.
class VirtualWorld {
  public:
    static constexpr bool is_virtual = true;

    VirtualWorld() {
        for (std::uint16_t port = 1024; port < 1024 + 64; ++port) {
            const Endpoint at{asio::ip::make_address("127.0.0.1"), port};
            wires_.certificate(at, virtual_::Certificate{{"mx.example.net"}, true, false});
        }
    }
    ~VirtualWorld() { simulation_.shutdown(); }

    Clock& clock() { return machine_; }
    Network& network() { return network_; }
    Network& plain_network() { return network_; }
    WorkPool& pool() { return pool_; }
    asio::any_io_executor executor() { return machine_.executor(); }
    Endpoint free_endpoint() { return {asio::ip::make_address("127.0.0.1"), next_port_++}; }
    Endpoint plain_endpoint() { return {asio::ip::make_address("127.0.0.2"), next_port_++}; }
    Duration longer_than_an_answer() const { return std::chrono::seconds(5); }

    void run(Task<void> conversation) {
        bool done = false;
        asio::co_spawn(
            machine_.executor(), std::move(conversation), [&done](std::exception_ptr thrown) {
                done = true;
                if (thrown) std::rethrow_exception(thrown);
            });
        const auto end = [&done] {
            return done;
        };
        EXPECT_TRUE(simulation_.run_until(end, simulation_.now() + std::chrono::minutes(1)))
            << "the conversation did not end";
    }
    void spawn(Task<void> conversation) {
        asio::co_spawn(machine_.executor(), std::move(conversation), [](std::exception_ptr thrown) {
            if (thrown) std::rethrow_exception(thrown);
        });
    }

  private:
    std::uint16_t next_port_ = 1024;
    SeededRandom random_{1};
    virtual_::Simulation simulation_{from_unix_millis(1'790'000'000'000)};
    virtual_::Machine& machine_{simulation_.machine("contract")};
    virtual_::VirtualNetwork wires_{simulation_, random_};
    Network& network_{wires_.plug(machine_, {asio::ip::make_address("192.0.2.1")})};
    virtual_::VirtualWorkPool pool_{machine_, random_, std::chrono::milliseconds(2)};
};

template <class World>
class Contract : public ::testing::Test {
  protected:
    World world;
};

using Worlds = ::testing::Types<RealWorld, VirtualWorld>;

}  // namespace millrace::contract
