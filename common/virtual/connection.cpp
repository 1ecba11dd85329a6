#include "common/virtual/connection.hpp"

#include <algorithm>
#include <utility>

namespace millrace::virtual_ {
namespace {

constexpr std::size_t window = 64 * 1024;  // what a kernel would hold for a reader that is slow
constexpr std::size_t segment = 16 * 1024;

/// Waits until somebody wakes this side, or its deadline passes.
Task<void> wait(std::shared_ptr<Connection> c, unsigned which, Machine::Ticket Side::* place) {
    Side& side = c->side(which);
    Machine& machine = *side.machine;
    const auto ticket = machine.ticket();
    side.*place = ticket;
    c->watch(which);
    co_await machine.wait(ticket);
    side.*place = 0;
    c->watch(which);
}

/// What stops any operation before it looks at the wire.
std::optional<Failure> stopped(Connection& c, unsigned which) {
    Side& side = c.side(which);
    if (side.failed) return side.failed;
    if (side.closed) return Failure{Fault::cancelled, "closed by ourselves"};
    if (side.machine->now() >= side.deadline) {
        return c.fail(which, Fault::timed_out, "no answer within the time limit");
    }
    return {};
}

/// At least one byte; the outer Result is the stream's contract.
Task<Result<std::size_t>> receive(std::shared_ptr<Connection> c,
                                  unsigned which,
                                  std::span<char> buffer) {
    for (;;) {
        if (auto why = stopped(*c, which)) co_return std::unexpected(*why);
        Side& side = c->side(which);
        if (!side.inbox.empty()) {
            std::size_t n = std::min(side.inbox.size(), buffer.size());
            if (c->trickles) n = std::min<std::size_t>(n, 1 + side.read % 3);
            std::copy_n(side.inbox.begin(), n, buffer.begin());
            side.inbox.erase(0, n);
            side.read += n;
            side.under_way -= n;
            Side& writer = c->other(which);
            writer.machine->wake(writer.writer);
            co_return n;
        }
        if (side.broken) {
            co_return std::unexpected(c->fail(which, Fault::reset, "connection reset by peer"));
        }
        if (side.finished) {
            const bool truncated = side.tls && !side.clean;
            co_return std::unexpected(
                truncated ? c->fail(which, Fault::reset, "TLS ended without close_notify")
                          : c->fail(which, Fault::closed, "closed by peer"));
        }
        co_await wait(c, which, &Side::reader);
    }
}

Task<Result<void>> transmit(std::shared_ptr<Connection> c, unsigned which, std::string_view bytes) {
    do {
        if (auto why = stopped(*c, which)) co_return std::unexpected(*why);
        if (c->side(which).broken) {
            co_return std::unexpected(c->fail(which, Fault::reset, "connection reset by peer"));
        }
        const std::size_t used = c->other(which).under_way;
        if (used >= window) {
            co_await wait(c, which, &Side::writer);
            continue;
        }
        const std::size_t n = std::min({bytes.size(), window - used, segment});
        c->send(which, std::string(bytes.substr(0, n)));
        bytes.remove_prefix(n);
    } while (!bytes.empty());
    co_return Result<void>{};
}

/// One line of the virtual handshake: `\x16` text `\n`. Anything else is no TLS.
Task<Result<std::string>> handshake_line(std::shared_ptr<Connection> c, unsigned which) {
    std::string line;
    for (;;) {
        char byte = 0;
        const auto got = co_await receive(c, which, std::span(&byte, 1));
        if (!got) co_return std::unexpected(got.error());
        if (line.empty() && byte != '\x16') {
            co_return std::unexpected(
                c->fail(which, Fault::tls, "the peer sent something else than a TLS handshake"));
        }
        if (byte == '\n') co_return line.substr(1);
        line += byte;
    }
}

bool covers(const std::string& pattern, const std::string& name) {
    if (pattern.starts_with("*.")) {
        const auto dot = name.find('.');
        return dot != name.npos && name.substr(dot) == pattern.substr(1);
    }
    return pattern == name;
}

std::string joined(const Certificate& certificate) {
    std::string text = certificate.trusted ? "trusted" : "untrusted";
    for (const std::string& name : certificate.names)
        text += " " + name;
    return text;
}

bool matches(std::string_view offer, const std::string& name) {
    for (std::size_t at = offer.find(' '); at != offer.npos;) {
        const auto next = offer.find(' ', at + 1);
        if (covers(std::string(offer.substr(at + 1, next - at - 1)), name)) return true;
        at = next;
    }
    return false;
}

}  // namespace

void Connection::wake(Side& side) {
    side.machine->wake(side.reader);
    side.machine->wake(side.writer);
}

void Connection::watch(unsigned which) {
    Side& me = side(which);
    if (me.alarm) network.simulation_.cancel(*me.alarm);
    me.alarm.reset();
    if (me.deadline == never || (me.reader == 0 && me.writer == 0)) return;
    me.alarm = network.simulation_.at(
        me.deadline, [self = shared_from_this(), which] { wake(self->side(which)); });
}

void Connection::arrive(unsigned to, Simulation::Action what) {
    if (stalled) return;
    Side& side = sides[to];
    side.last_arrival =
        std::max(side.last_arrival, network.simulation_.now() + network.latency(wire));
    network.simulation_.at(side.last_arrival,
                           [self = shared_from_this(), what = std::move(what)]() mutable {
                               if (!self->stalled) what();
                           });
}

void Connection::send(unsigned from, std::string bytes) {
    Side& me = side(from);
    me.written += bytes.size();
    other(from).under_way += bytes.size();
    if (network.chance(wire.stall)) {
        network.simulation_.fault_fired("stall");
        stalled = true;
        return;
    }
    const bool cut = network.chance(wire.cut);
    if (cut) network.simulation_.fault_fired("cut");
    if (!cut || network.chance(0.5)) {
        arrive(1 - from, [this, from, bytes = std::move(bytes)] {
            Side& to = other(from);
            network.simulation_.trace(bytes);
            if (to.closed) {  // a kernel answers data for nobody with a reset
                send_reset(1 - from);
                return;
            }
            to.inbox += bytes;
            wake(to);
        });
    }
    if (cut) {
        send_reset(from);
        send_reset(1 - from);
    }
}

void Connection::send_end(unsigned from, bool clean) {
    arrive(1 - from, [this, from, clean] {
        Side& to = other(from);
        network.simulation_.trace("end");
        to.finished = true;
        to.clean = clean;
        wake(to);
    });
}

void Connection::send_reset(unsigned from) {
    arrive(1 - from, [this, from] {
        Side& to = other(from);
        network.simulation_.trace("reset");
        to.broken = true;
        wake(to);
    });
}

void Connection::close(unsigned which, bool abrupt) {
    Side& me = side(which);
    if (me.closed) return;
    me.closed = true;
    if (!abrupt && !me.broken) {
        // Closing with unread bytes makes a kernel send a reset instead of an end.
        if (me.inbox.empty()) {
            send_end(which, me.machine->alive() && me.tls);
        } else {
            send_reset(which);
        }
    }
    wake(me);
    if (which == 0 && announced && network.on_closed) network.on_closed(fact());
}

Failure Connection::fail(unsigned which, Fault fault, std::string detail) {
    Side& me = side(which);
    me.failed = Failure{fault, std::move(detail)};
    close(which, false);
    return *me.failed;
}

void VirtualStream::expires_at(Time t) {
    connection_->side(side_).deadline = t;
    connection_->watch(side_);
}

Task<Result<void>> VirtualStream::readable() {
    const auto c = connection_;
    const unsigned which = side_;
    for (;;) {
        if (auto why = stopped(*c, which)) co_return std::unexpected(*why);
        const Side& side = c->side(which);
        if (!side.inbox.empty() || side.broken || side.finished) co_return Result<void>{};
        co_await wait(c, which, &Side::reader);
    }
}

Task<Result<std::size_t>> VirtualStream::read_some(std::span<char> buffer) {
    return receive(connection_, side_, buffer);
}

Task<Result<void>> VirtualStream::write(std::string_view bytes) {
    return transmit(connection_, side_, bytes);
}

Task<Result<void>> VirtualStream::start_tls_client(TlsClient options) {
    const auto c = connection_;
    const unsigned which = side_;
    const std::string hello = "\x16" + options.server_name + "\n";
    if (auto sent = co_await transmit(c, which, hello); !sent) co_return sent;
    const auto offer = co_await handshake_line(c, which);
    if (!offer) co_return std::unexpected(offer.error());
    if (*offer == "broken") {
        co_return std::unexpected(c->fail(which, Fault::tls, "the peer broke off the handshake"));
    }
    const bool trusted = offer->starts_with("trusted");
    const bool verified = trusted && matches(*offer, options.server_name);
    if (options.verify && !verified) {
        co_return std::unexpected(
            c->fail(which,
                    Fault::tls,
                    trusted ? "the certificate is not for " + options.server_name
                            : std::string("the certificate's issuer is not trusted")));
    }
    c->side(which).tls = true;
    c->side(which).tls_info = TlsInfo{"TLSv1.3", "TLS_AES_256_GCM_SHA384", verified};
    co_return Result<void>{};
}

Task<Result<void>> VirtualStream::start_tls_server() {
    const auto c = connection_;
    const unsigned which = side_;
    if (auto why = stopped(*c, which)) co_return std::unexpected(*why);
    if (!c->certificate) {
        co_return std::unexpected(
            c->fail(which, Fault::tls, "no certificate is configured for this listener"));
    }
    const auto hello = co_await handshake_line(c, which);
    if (!hello) co_return std::unexpected(hello.error());
    const bool breaks = c->certificate->breaks_handshake;
    const std::string offer = "\x16" + (breaks ? "broken" : joined(*c->certificate)) + "\n";
    if (auto sent = co_await transmit(c, which, offer); !sent) co_return sent;
    if (breaks) {
        co_return std::unexpected(c->fail(which, Fault::tls, "the handshake failed"));
    }
    c->side(which).tls = true;
    c->side(which).tls_info = TlsInfo{"TLSv1.3", "TLS_AES_256_GCM_SHA384", false};
    co_return Result<void>{};
}

DeliveryProof::DeliveryProof(const Stream& stream)
    : connection_(dynamic_cast<const VirtualStream&>(stream).connection()),
      side_(dynamic_cast<const VirtualStream&>(stream).side()) {}

std::uint64_t DeliveryProof::written() const {
    return connection_->side(side_).written;
}

std::uint64_t DeliveryProof::read_by_peer() const {
    return connection_->other(side_).read;
}

std::uint64_t DeliveryProof::connection() const {
    return connection_->id;
}

}  // namespace millrace::virtual_
