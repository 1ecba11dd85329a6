#include "common/net/asio_stream.hpp"

#include <array>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "common/net/signal.hpp"

namespace millrace {

namespace errc = boost::system::errc;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t plaintext_at_once = 64 * 1024;   // encrypted and sent in one go
constexpr std::size_t ciphertext_at_once = 17 * 1024;  // one TLS record and its frame

/// Streams are ended by close(), never by a cancelled coroutine: bytes may be half-way.
auto uncancelled(error_code& error) {
    return asio::redirect_error(
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable), error);
}

Endpoint from_asio(const tcp::endpoint& endpoint) {
    return {endpoint.address(), endpoint.port()};
}

}  // namespace

Failure socket_failure(const error_code& error) {
    if (error == asio::error::eof) return {Fault::closed, "closed by peer"};
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) {
        return {Fault::cancelled, "closed by ourselves"};
    }
    if (error == asio::error::timed_out) return {Fault::timed_out, error.message()};
    return {Fault::reset, error.message()};
}

struct AsioStream::Core : std::enable_shared_from_this<Core> {
    Core(tcp::socket s, const Clock& c, const TlsContext& t)
        : socket(std::move(s)),
          clock(c),
          context(t),
          timer(socket.get_executor()),
          sent(socket.get_executor()) {
        error_code ignored;
        local = from_asio(socket.local_endpoint(ignored));
        peer = from_asio(socket.remote_endpoint(ignored));
        socket.set_option(tcp::no_delay(true), ignored);
        socket.non_blocking(true, ignored);
    }

    tcp::socket socket;
    const Clock& clock;
    const TlsContext& context;
    std::optional<TlsSession> session;
    std::optional<TlsInfo> tls_info;
    Endpoint local, peer;
    std::optional<Failure> failed;  ///< latched
    asio::steady_timer timer;       ///< one for all operations; set late and rarely
    bool timer_set = false;
    Time timer_at{};
    Time deadline = never;
    unsigned waiting = 0;  ///< operations that a deadline would end
    bool sending = false;  ///< somebody writes to the socket
    Signal sent;           ///< … and is done

    /// While one of these exists the deadline is watched.
    class Watch {
      public:
        explicit Watch(Core& core) : core_(core) {
            ++core_.waiting;
            core_.watch();
        }
        ~Watch() { --core_.waiting; }
        Watch(const Watch&) = delete;

      private:
        Core& core_;
    };

    void watch();
    /// Empty when an operation may begin.
    std::optional<Failure> stopped();
    Failure fail(Failure why);
    Failure fail(const error_code& error) { return fail(failed ? *failed : socket_failure(error)); }
    void close_socket();

    Task<Result<void>> await_input();
    Task<Result<std::size_t>> receive(std::span<char> buffer);
    Result<std::size_t> received(const error_code& error, std::size_t n);
    Task<Result<void>> send(std::string_view bytes);
    Task<Result<void>> flush();
    Task<Result<void>> flush_unless_sending();
    Task<Result<void>> feed();
    Task<Result<std::size_t>> read_tls(std::span<char> buffer);
    Task<Result<void>> write_tls(std::string_view bytes);
    Task<Result<void>> handshake();
};

void AsioStream::Core::watch() {
    if (deadline == never || waiting == 0 || failed) return;
    // Deadlines mostly move later: let an early timer ring and set it anew then, instead of moving
    // it before every operation.
    if (timer_set && timer_at <= deadline) return;
    timer_at = deadline;
    timer_set = true;
    timer.expires_after(deadline - clock.now());
    timer.async_wait([self = shared_from_this()](const error_code& error) {
        if (error == asio::error::operation_aborted) return;  // replaced by another wait
        self->timer_set = false;
        if (self->waiting == 0 || self->failed) return;
        if (self->clock.now() < self->deadline) return self->watch();
        self->fail({Fault::timed_out, "no answer within the time limit"});
    });
}

std::optional<Failure> AsioStream::Core::stopped() {
    if (failed) return failed;
    if (deadline != never && clock.now() >= deadline) {
        return fail({Fault::timed_out, "no answer within the time limit"});
    }
    return {};
}

Failure AsioStream::Core::fail(Failure why) {
    if (!failed) failed = std::move(why);
    close_socket();
    return *failed;
}

void AsioStream::Core::close_socket() {
    error_code ignored;
    socket.close(ignored);
    timer.cancel();
    timer_set = false;
}

Task<Result<std::size_t>> AsioStream::Core::receive(std::span<char> buffer) {
    error_code error;
    const std::size_t n = co_await socket.async_read_some(
        asio::buffer(buffer.data(), buffer.size()), uncancelled(error));
    co_return received(error, n);
}

Result<std::size_t> AsioStream::Core::received(const error_code& error, std::size_t n) {
    if (failed) return std::unexpected(*failed);
    if (!error) return n;
    if (error == asio::error::eof && session) {
        return std::unexpected(fail({Fault::reset, "TLS ended without close_notify"}));
    }
    return std::unexpected(fail(error));
}

Task<Result<void>> AsioStream::Core::await_input() {
    error_code error;
    co_await socket.async_wait(tcp::socket::wait_read, uncancelled(error));
    if (failed) co_return std::unexpected(*failed);
    if (error) co_return std::unexpected(fail(error));
    co_return Result<void>{};
}

Task<Result<void>> AsioStream::Core::send(std::string_view bytes) {
    error_code error;
    co_await asio::async_write(
        socket, asio::buffer(bytes.data(), bytes.size()), uncancelled(error));
    if (failed) co_return std::unexpected(*failed);
    if (error) co_return std::unexpected(fail(error));
    co_return Result<void>{};
}

/// Sends all that the session has to say. One at a time, or records would interleave.
Task<Result<void>> AsioStream::Core::flush() {
    while (sending) {
        co_await sent.wait();
        if (failed) co_return std::unexpected(*failed);
    }
    sending = true;
    Result<void> result;
    for (std::string bytes = session->output(); result && !bytes.empty();
         bytes = session->output()) {
        result = co_await send(bytes);
    }
    sending = false;
    sent.notify();
    co_return result;
}

/// The reader's answers (alerts, key updates) go out with the writer's bytes when one is at work.
Task<Result<void>> AsioStream::Core::flush_unless_sending() {
    if (sending) co_return Result<void>{};
    co_return co_await flush();
}

/// The session copies what it is fed, so one buffer serves all streams of a thread, and none is
/// held while a peer is silent.
Task<Result<void>> AsioStream::Core::feed() {
    for (;;) {
        thread_local std::array<char, ciphertext_at_once> ciphertext;
        error_code error;
        const std::size_t n = socket.read_some(asio::buffer(ciphertext), error);
        if (error != asio::error::would_block) {
            const auto got = received(error, n);
            if (!got) co_return std::unexpected(got.error());
            session->feed(std::string_view(ciphertext.data(), *got));
            co_return Result<void>{};
        }
        if (auto ready = co_await await_input(); !ready) co_return ready;
    }
}

Task<Result<void>> AsioStream::Core::handshake() {
    for (;;) {
        const auto step = session->handshake();
        if (auto flushed = co_await flush_unless_sending(); !flushed) co_return flushed;
        if (step == TlsSession::Step::done) {
            tls_info = session->info();
            co_return Result<void>{};
        }
        if (step != TlsSession::Step::need_input) {
            co_return std::unexpected(fail({Fault::tls, session->error()}));
        }
        if (auto fed = co_await feed(); !fed) co_return fed;
    }
}

Task<Result<std::size_t>> AsioStream::Core::read_tls(std::span<char> buffer) {
    for (;;) {
        std::size_t got = 0;
        const auto step = session->read(buffer, got);
        if (auto flushed = co_await flush_unless_sending(); !flushed && got == 0) {
            co_return std::unexpected(flushed.error());
        }
        switch (step) {
            case TlsSession::Step::done:
                co_return got;
            case TlsSession::Step::ended:
                co_return std::unexpected(fail({Fault::closed, "closed by peer"}));
            case TlsSession::Step::failed:
                co_return std::unexpected(fail({Fault::tls, session->error()}));
            case TlsSession::Step::need_input:
                break;
        }
        if (auto fed = co_await feed(); !fed) co_return std::unexpected(fed.error());
    }
}

Task<Result<void>> AsioStream::Core::write_tls(std::string_view bytes) {
    while (!bytes.empty()) {
        if (!session->write(bytes.substr(0, plaintext_at_once))) {
            co_return std::unexpected(fail({Fault::tls, session->error()}));
        }
        if (auto flushed = co_await flush(); !flushed) co_return flushed;
        bytes.remove_prefix(std::min(bytes.size(), plaintext_at_once));
    }
    co_return Result<void>{};
}

AsioStream::AsioStream(tcp::socket socket, const Clock& clock, const TlsContext& tls)
    : core_(std::make_shared<Core>(std::move(socket), clock, tls)) {}

AsioStream::~AsioStream() {
    close();
}

void AsioStream::expires_at(Time t) {
    core_->deadline = t;
    core_->watch();
}

Task<Result<void>> AsioStream::readable() {
    const auto core = core_;
    if (auto why = core->stopped()) co_return std::unexpected(*why);
    if (core->session && core->session->pending()) co_return Result<void>{};
    const Core::Watch watch(*core);
    co_return co_await core->await_input();
}

Task<Result<std::size_t>> AsioStream::read_some(std::span<char> buffer) {
    const auto core = core_;
    if (auto why = core->stopped()) co_return std::unexpected(*why);
    const Core::Watch watch(*core);
    if (core->session) co_return co_await core->read_tls(buffer);
    co_return co_await core->receive(buffer);
}

Task<Result<void>> AsioStream::write(std::string_view bytes) {
    const auto core = core_;
    if (auto why = core->stopped()) co_return std::unexpected(*why);
    const Core::Watch watch(*core);
    if (core->session) co_return co_await core->write_tls(bytes);
    co_return co_await core->send(bytes);
}

Task<Result<void>> AsioStream::start_tls_client(TlsClient options) {
    const auto core = core_;
    if (auto why = core->stopped()) co_return std::unexpected(*why);
    auto session = TlsSession::client(core->context.client(), options);
    if (!session) co_return std::unexpected(core->fail(session.error()));
    core->session = std::move(*session);
    const Core::Watch watch(*core);
    co_return co_await core->handshake();
}

Task<Result<void>> AsioStream::start_tls_server() {
    const auto core = core_;
    if (auto why = core->stopped()) co_return std::unexpected(*why);
    auto context = core->context.server();
    if (!context) {
        co_return std::unexpected(
            core->fail({Fault::tls, "no certificate is configured for this listener"}));
    }
    core->session = TlsSession::server(std::move(context));
    const Core::Watch watch(*core);
    co_return co_await core->handshake();
}

std::optional<TlsInfo> AsioStream::tls() const {
    return core_->tls_info;
}

Endpoint AsioStream::local() const {
    return core_->local;
}

Endpoint AsioStream::peer() const {
    return core_->peer;
}

void AsioStream::close() {
    Core& core = *core_;
    if (core.failed) return;
    if (core.tls_info && !core.sending) {
        core.session->finish();
        const std::string bytes = core.session->output();
        // Without waiting: if the kernel has no room, the peer is not reading anyway.
        [[maybe_unused]] const auto sent = ::send(
            core.socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    core.fail({Fault::cancelled, "closed by ourselves"});
}

}  // namespace millrace
