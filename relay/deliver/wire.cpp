#include "relay/deliver/wire.hpp"

#include "common/base/check.hpp"

namespace millrace::relay {

namespace {

// A server that says more than this unasked is not read any further.
constexpr std::size_t inbox_max = 128 * 1024;

}  // namespace

Wire::Wire(std::unique_ptr<Stream> stream,
           Clock& clock,
           asio::any_io_executor executor,
           std::shared_ptr<Transcript> transcript)
    : stream_(std::move(stream)),
      clock_(clock),
      transcript_(std::move(transcript)),
      arrived_(std::move(executor)) {}

void Wire::close() {
    if (closed_) return;
    closed_ = true;
    if (transcript_) transcript_->note("closed");
    if (!ended_) ended_ = Failure{Fault::cancelled, "the connection was closed"};
    stream_->close();
    arrived_.notify();
}

std::unexpected<Failure> Wire::fail(Failure why) {
    if (transcript_ && !closed_) transcript_->broke("broken: " + why.detail);
    if (!ended_) ended_ = why;
    close();
    return std::unexpected(std::move(why));
}

Task<Result<void>> Wire::say(std::string commands, Duration limit) {
    if (transcript_ && !closed_) transcript_->said(commands);
    co_return co_await write(std::move(commands), limit);
}

Task<Result<void>> Wire::send(std::string bytes, Duration limit) {
    if (transcript_ && !closed_) transcript_->sent(bytes.size());
    co_return co_await write(std::move(bytes), limit);
}

Task<Result<void>> Wire::write(std::string bytes, Duration limit) {
    if (closed_) co_return std::unexpected(*ended_);
    stream_->expires_at(clock_.now() + limit);
    auto const written = co_await stream_->write(bytes);
    if (!written) co_return fail(written.error());
    co_return Result<void>{};
}

Result<bool> Wire::parse() {
    std::string_view rest = inbox_;
    auto const state = parser_.feed(rest);
    inbox_.erase(0, inbox_.size() - rest.size());
    if (state == smtp::ReplyParser::State::broken) return failure(Fault::invalid, parser_.fault());
    return state == smtp::ReplyParser::State::done;
}

Task<Result<smtp::Reply>> Wire::reply(Duration limit) {
    stream_->expires_at(clock_.now() + limit);
    while (true) {
        auto const complete = parse();
        if (!complete) co_return fail(complete.error());
        if (*complete) break;
        if (ended_ && ended_->fault == Fault::timed_out) {
            co_return fail({Fault::timed_out, "no answer within " + to_human(limit)});
        }
        if (ended_) co_return fail(*ended_);
        if (listening_) {
            co_await arrived_.wait();
            continue;
        }
        auto const got = co_await stream_->read_some(buffer_);
        if (got) {
            inbox_.append(buffer_.data(), *got);
        } else {
            ended_ = got.error();
        }
    }
    // The reader goes on while nothing is asked.
    stream_->expires_at(never);
    co_return take_reply();
}

smtp::Reply Wire::take_reply() {
    auto reply = parser_.take();
    if (transcript_) transcript_->heard(reply);
    return reply;
}

std::optional<smtp::Reply> Wire::early_reply() {
    auto const complete = parse();
    if (!complete || !*complete) return std::nullopt;
    return take_reply();
}

Task<Result<void>> Wire::secure(TlsClient options, Duration limit) {
    MILLRACE_CHECK(!listening_);
    if (!inbox_.empty()) {
        co_return fail({Fault::invalid, "the server said something before the TLS handshake"});
    }
    stream_->expires_at(clock_.now() + limit);
    auto const secured = co_await stream_->start_tls_client(std::move(options));
    if (!secured) co_return fail(secured.error());
    if (transcript_) {
        auto const info = stream_->tls();
        transcript_->note(info ? "secured by " + info->protocol + ", " + info->cipher
                               : std::string("secured"));
    }
    parser_ = {};
    co_return Result<void>{};
}

void Wire::listen(TaskGroup& group) {
    MILLRACE_CHECK(!listening_);
    listening_ = true;
    stream_->expires_at(never);
    if (group.stopping()) {
        ended_ = Failure{Fault::cancelled, "the relay is stopping"};
        return;
    }
    group.spawn(read_on(shared_from_this()));
}

Task<void> Wire::read_on(std::shared_ptr<Wire> self) {
    // However this ends, whoever waits for a reply hears of it.
    struct End {
        Wire& wire;
        ~End() {
            if (!wire.ended_) wire.ended_ = Failure{Fault::cancelled, "the relay is stopping"};
            wire.arrived_.notify();
        }
    };
    End const at_the_end{*self};
    while (!self->closed_) {
        auto const got = co_await self->stream_->read_some(self->buffer_);
        if (!got) {
            if (self->transcript_ && !self->closed_) {
                self->transcript_->note("ended: " + got.error().detail);
            }
            if (!self->ended_) self->ended_ = got.error();
            co_return;
        }
        self->inbox_.append(self->buffer_.data(), *got);
        if (self->inbox_.size() > inbox_max) {
            self->ended_ = Failure{Fault::invalid, "the server does not stop talking"};
            self->close();
            co_return;
        }
        self->arrived_.notify();
    }
}

}  // namespace millrace::relay
