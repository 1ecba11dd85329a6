#include "common/net/asio_network.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/asio_stream.hpp"
#include "common/net/port_holder.hpp"

namespace millrace {
namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;
namespace errc = boost::system::errc;

constexpr int backlog = 1024;  // the kernel caps it at net.core.somaxconn

tcp::endpoint to_asio(const Endpoint& endpoint) {
    return {endpoint.address, endpoint.port};
}

bool out_of_resources(const error_code& error) {
    return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
           error == errc::no_buffer_space || error == errc::not_enough_memory;
}

/// The words of Network::connect.
Failure connect_failure(const error_code& error, const Endpoint& to) {
    const std::string what = to.text() + ": " + error.message();
    if (error == asio::error::operation_aborted) return {Fault::cancelled, what};
    if (out_of_resources(error) || error == errc::address_not_available ||
        error == asio::error::try_again || error == errc::permission_denied ||
        error == errc::operation_not_permitted) {
        return {Fault::unavailable, what};
    }
    if (error == asio::error::timed_out) return {Fault::timed_out, what};
    return {Fault::refused, what};
}

Failure listen_failure(const error_code& error, const Endpoint& at) {
    if (error == asio::error::address_in_use) {
        const std::string holder = port_holder(at.port);
        return {Fault::refused,
                "port " + std::to_string(at.port) + " (" + at.text() + ") is in use" +
                    (holder.empty() ? "" : " by " + holder) + ": stop that, or set another port"};
    }
    if (error == errc::permission_denied) {
        return {Fault::refused,
                "port " + std::to_string(at.port) +
                    " needs root, CAP_NET_BIND_SERVICE or systemd's socket"};
    }
    if (error == errc::address_not_available) {
        return {Fault::refused, at.address.to_string() + " is not an address of this machine"};
    }
    return {out_of_resources(error) ? Fault::unavailable : Fault::refused,
            at.text() + ": " + error.message()};
}

class AsioListener final : public Listener {
  public:
    AsioListener(tcp::acceptor acceptor, Endpoint local, const Clock& clock, const TlsContext& tls)
        : state_(std::make_shared<State>(std::move(acceptor), clock, tls)), local_(local) {}
    ~AsioListener() override { AsioListener::close(); }

    Task<Result<std::unique_ptr<Stream>>> accept() override { return accept(state_); }
    Endpoint local() const override { return local_; }
    void close() override {
        error_code ignored;
        state_->acceptor.close(ignored);
    }

  private:
    struct State {  // shared with an accept() that is still waiting when the listener goes
        tcp::acceptor acceptor;
        const Clock& clock;
        const TlsContext& tls;
    };

    static Task<Result<std::unique_ptr<Stream>>> accept(std::shared_ptr<State> state) {
        for (;;) {
            if (!state->acceptor.is_open()) {
                co_return failure(Fault::cancelled, "the listener is closed");
            }
            error_code error;
            tcp::socket socket = co_await state->acceptor.async_accept(asio::redirect_error(
                asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable),
                error));
            if (!error) {
                co_return std::make_unique<AsioStream>(std::move(socket), state->clock, state->tls);
            }
            if (error == asio::error::operation_aborted) continue;
            // A client that went away before its turn is nobody's problem: the next one.
            if (error == asio::error::connection_aborted || error == errc::protocol_error) continue;
            co_return failure(Fault::unavailable, error.message());
        }
    }

    std::shared_ptr<State> state_;
    Endpoint local_;
};

}  // namespace

AsioNetwork::AsioNetwork(asio::any_io_executor executor, const Clock& clock, const TlsContext& tls)
    : executor_(std::move(executor)), clock_(clock), tls_(tls) {}

Task<Result<std::unique_ptr<Stream>>> AsioNetwork::connect(Endpoint to,
                                                           std::optional<Address> source,
                                                           Time deadline) {
    const Time now = clock_.now();
    if (now >= deadline) co_return failure(Fault::timed_out, "no time left for " + to.text());
    const tcp::endpoint target = to_asio(to);
    tcp::socket socket(executor_);
    error_code error;
    socket.open(target.protocol(), error);
    if (error) co_return std::unexpected(connect_failure(error, to));
    if (source) {
        // The port is chosen at connect(), when the target is known: otherwise one source address
        // could have no more connections than there are ports, whatever the targets.
        const int on = 1;
        ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        socket.bind(tcp::endpoint(*source, 0), error);
        if (error) {
            co_return failure(Fault::unavailable,
                              "cannot send from " + source->to_string() + ": " + error.message());
        }
    }
    bool expired = false;
    asio::steady_timer timer(executor_);
    if (deadline != never) {
        timer.expires_after(deadline - now);
        timer.async_wait([&socket, &expired](const error_code& aborted) {
            if (aborted) return;
            expired = true;
            error_code ignored;
            socket.close(ignored);
        });
    }
    co_await socket.async_connect(target, asio::redirect_error(asio::use_awaitable, error));
    if (deadline != never && timer.cancel() == 0 && !expired) {
        // The timer has rung and its handler is on its way, with references to this frame.
        co_await asio::post(executor_, asio::use_awaitable);
    }
    if (expired) {
        co_return failure(Fault::timed_out, to.text() + ": no answer within the time limit");
    }
    if (error) co_return std::unexpected(connect_failure(error, to));
    co_return std::make_unique<AsioStream>(std::move(socket), clock_, tls_);
}

Result<std::unique_ptr<Listener>> AsioNetwork::listen(Endpoint at) {
    const tcp::endpoint where = to_asio(at);
    tcp::acceptor acceptor(executor_);
    error_code error;
    acceptor.open(where.protocol(), error);
    if (error) return std::unexpected(listen_failure(error, at));
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    // `::` and `0.0.0.0` are two settings, whatever net.ipv6.bindv6only says.
    if (at.address.is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
    acceptor.bind(where, error);
    if (!error) acceptor.listen(backlog, error);
    if (error) return std::unexpected(listen_failure(error, at));
    const tcp::endpoint local = acceptor.local_endpoint(error);
    if (error) return std::unexpected(listen_failure(error, at));
    return std::make_unique<AsioListener>(
        std::move(acceptor), Endpoint{local.address(), local.port()}, clock_, tls_of(at));
}

Result<std::unique_ptr<Listener>> AsioNetwork::adopt(int fd) {
    int listening = 0;
    socklen_t size = sizeof listening;
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        (address.ss_family != AF_INET && address.ss_family != AF_INET6)) {
        return failure(
            Fault::invalid,
            "inherited descriptor " + std::to_string(fd) + " is not a listening TCP socket");
    }
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    tcp::acceptor acceptor(executor_);
    error_code error;
    acceptor.assign(address.ss_family == AF_INET ? tcp::v4() : tcp::v6(), fd, error);
    if (error) return failure(Fault::invalid, "inherited descriptor: " + error.message());
    const tcp::endpoint local = acceptor.local_endpoint(error);
    if (error) return failure(Fault::invalid, "inherited descriptor: " + error.message());
    const Endpoint at{local.address(), local.port()};
    return std::make_unique<AsioListener>(std::move(acceptor), at, clock_, tls_of(at));
}

const TlsContext& AsioNetwork::tls_of(const Endpoint& at) const {
    const auto own = certificates_.find(at);
    return own == certificates_.end() ? tls_ : *own->second;
}

}  // namespace millrace
