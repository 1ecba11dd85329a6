// Goal: what only the real network has: inherited sockets, a full descriptor table, certificates
// that change while we run.

#include "common/net/asio_network.hpp"

#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/contract/pair.hpp"

namespace millrace::contract {
namespace {

/// A listening socket as a supervisor would hand it over.
int inherited_socket(bool listening) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (listening) EXPECT_EQ(::listen(fd, 10), 0);
    return fd;
}

Task<void> greet(RealWorld& world, Listener& listener) {
    const std::optional<Address> source;
    auto client = co_await world.network().connect(listener.local(), source, soon(world.clock()));
    EXPECT_TRUE(client);
    auto server = co_await listener.accept();
    EXPECT_TRUE(server);
    const std::string hello = "220 hello\r\n";
    EXPECT_TRUE(co_await (*server)->write(hello));
    EXPECT_EQ(co_await read_exactly(**client, hello.size()), hello);
}

TEST(AsioNetwork, TakesOverAnInheritedSocket) {
    RealWorld world;
    const int fd = inherited_socket(true);
    auto& network = dynamic_cast<AsioNetwork&>(world.network());
    auto listener = network.adopt(fd);
    ASSERT_TRUE(listener) << listener.error().detail;
    EXPECT_NE((*listener)->local().port, 0);
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << "a child must not inherit it again";
    world.run(greet(world, **listener));
}

TEST(AsioNetwork, TakesOverNothingElse) {
    RealWorld world;
    auto& network = dynamic_cast<AsioNetwork&>(world.network());
    const int bound = inherited_socket(false);
    int pipes[2];
    ASSERT_EQ(::pipe(pipes), 0);
    for (const int fd : {bound, pipes[0], 9999}) {
        const auto listener = network.adopt(fd);
        ASSERT_FALSE(listener);
        EXPECT_EQ(listener.error().fault, Fault::invalid);
    }
    EXPECT_EQ(::close(bound), 0) << "what was refused still belongs to the caller";
    ::close(pipes[0]);
    ::close(pipes[1]);
}

Task<void> out_of_descriptors(RealWorld& world) {
    auto listener = world.network().listen(world.free_endpoint());
    const std::optional<Address> source;
    const Endpoint at = (*listener)->local();
    auto client = co_await world.network().connect(at, source, soon(world.clock()));
    EXPECT_TRUE(client);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit tight = before;
    tight.rlim_cur = 3;  // below what is open: nothing new can be opened
    ::setrlimit(RLIMIT_NOFILE, &tight);
    const auto refused = co_await (*listener)->accept();
    const auto no_socket = co_await world.network().connect(at, source, soon(world.clock()));
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_FALSE(refused);
    if (!refused) EXPECT_EQ(refused.error().fault, Fault::unavailable);
    EXPECT_FALSE(no_socket);
    if (!no_socket) EXPECT_EQ(no_socket.error().fault, Fault::unavailable);
    const auto later = co_await (*listener)->accept();
    EXPECT_TRUE(later) << "the client was still waiting";
}

TEST(AsioNetwork, SaysUnavailableWithoutDescriptors) {
    RealWorld world;
    world.run(out_of_descriptors(world));
}

TEST(TlsContext, KeepsTheOldCertificateWhenTheNewOneIsBad) {
    const TestCertificate first("one.example"), second("two.example");
    const std::string garbage =
        ::testing::TempDir() + "millrace-garbage-" + std::to_string(::getpid());
    std::ofstream(garbage) << "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n";
    TlsContext context;
    EXPECT_FALSE(context.server());
    ASSERT_TRUE(context.load({first.file(), "", ""}));
    const auto in_force = context.server();
    ASSERT_TRUE(in_force);
    for (const TlsContext::Files& bad : {TlsContext::Files{"/nonexistent.pem", "", ""},
                                         TlsContext::Files{garbage, "", ""},
                                         TlsContext::Files{first.file(), second.file(), ""},
                                         TlsContext::Files{first.file(), "/nonexistent.key", ""},
                                         TlsContext::Files{first.file(), "", garbage}}) {
        const auto loaded = context.load(bad);
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().fault, Fault::invalid);
        EXPECT_FALSE(loaded.error().detail.empty());
        EXPECT_EQ(context.server(), in_force) << loaded.error().detail;
    }
    ASSERT_TRUE(context.load({second.file(), "", ""}));
    EXPECT_NE(context.server(), in_force);
    std::remove(garbage.c_str());
}

}  // namespace
}  // namespace millrace::contract
