#include "relay/intake/smtp_session.hpp"

#include <algorithm>

#include "relay/intake/arrival.hpp"

namespace millrace::relay {

namespace {

using namespace std::chrono_literals;
using smtp::Reply;
using smtp::reply;
using smtp::Step;

// RFC 5321 §4.5.3.2.7: a server waits at least five minutes for the next command. It runs from the
// end of the last one, not from the last byte, so that one byte at a time wins nothing.
constexpr Duration command_timeout = 5min;
// RFC 5321 §4.5.3.2.5 for the client's side: as long for ours between two pieces of a message.
constexpr Duration piece_timeout = 3min;
constexpr Duration write_timeout = 5min;
constexpr Duration handshake_timeout = 1min;
constexpr Duration farewell_timeout = 5s;
// Postfix says the next command within a round trip; whoever is silent for so long has gone.
constexpr Duration engaged_timeout = 5s;
// How long, and how much, a client may go on talking after it was told that this is the end.
constexpr Duration drain_timeout = 2s;
constexpr std::size_t drained_max = 256 << 10;
// A message must come at this rate on the whole (Postfix asks for 500 B/s too): slower is an attack
// or a line on which it would never end.
constexpr std::uint64_t bytes_per_second_min = 500;
// Replies of a pipelined group that are collected before they are written.
constexpr std::size_t replies_max = 16 << 10;
constexpr std::size_t read_size = 16 << 10;
// What Postfix grants for the answer to DATA is 2 minutes (smtp_data_init_timeout), for a piece of
// the message 3 (smtp_data_xfer_timeout), behind its end 10 (smtp_data_done_timeout).
constexpr Duration room_patience = 100s;
constexpr Duration spool_patience = 4min;
constexpr Duration spool_again = 1s;
// Bytes of over-long and broken lines that one client may send.
constexpr std::size_t dropped_max = 64 << 10;

Reply stopping_reply() {
    return reply(421, "4.3.2", "The service is shutting down; try again later");
}

Reply too_large_reply() {
    return reply(552, "5.3.4", "The message is larger than this server takes");
}

Reply no_room_reply() {
    return reply(452, "4.3.1", "Too many messages are coming in at once; try again later");
}

smtp::ServerOptions options_of(const config::Settings& settings,
                               const config::Listener& listener,
                               bool trusted) {
    smtp::ServerOptions options;
    options.hostname = settings.relay.hostname;
    options.size_max = settings.relay.limits.message_size;
    options.recipients_max = settings.relay.limits.recipients_per_message;
    options.starttls = !listener.certificate.empty();
    options.xforward = trusted && listener.profile == config::Profile::attached;
    options.trusted = trusted;
    return options;
}

bool is_trusted(const config::Listener& listener, const Address& client) {
    return std::ranges::any_of(
        listener.trusted, [&](const Network4or6& network) { return network.contains(client); });
}

std::string list_of(const std::vector<policy::Defect>& defects) {
    std::string out;
    for (const policy::Defect& defect : defects) {
        if (!out.empty()) out += ',';
        out += defect.code;
    }
    return out;
}

}  // namespace

IntakeCounters::IntakeCounters(Metrics& metrics)
    : accepted(metrics.counter("millrace_intake_messages_total",
                               "Messages clients sent, by what they were answered.",
                               "result=\"accepted\"")),
      refused(metrics.counter("millrace_intake_messages_total",
                              "Messages clients sent, by what they were answered.",
                              "result=\"refused\"")),
      deferred(metrics.counter("millrace_intake_messages_total",
                               "Messages clients sent, by what they were answered.",
                               "result=\"deferred\"")),
      waited_for_seat(metrics.counter("millrace_intake_waits_total",
                                      "Times an MTA in front was kept waiting, by for what.",
                                      "for=\"seat\"")),
      waited_for_room(metrics.counter("millrace_intake_waits_total",
                                      "Times an MTA in front was kept waiting, by for what.",
                                      "for=\"room\"")),
      waited_for_spool(metrics.counter("millrace_intake_waits_total",
                                       "Times an MTA in front was kept waiting, by for what.",
                                       "for=\"spool\"")) {}

bool is_patient(const config::Listener& listener, const Address& client) {
    return listener.profile == config::Profile::attached && is_trusted(listener, client);
}

SmtpSession::SmtpSession(IntakeDesk desk,
                         config::Snapshot settings,
                         config::Listener listener,
                         std::unique_ptr<Stream> stream)
    : desk_(desk),
      settings_(std::move(settings)),
      listener_(std::move(listener)),
      stream_(std::move(stream)),
      client_(stream_->peer()),
      trusted_(is_trusted(listener_, client_.address)),
      patient_(is_patient(listener_, client_.address)),
      protocol_(options_of(*settings_, listener_, trusted_), *this) {}

Task<void> SmtpSession::run() {
    const auto alive = shared_from_this();
    say(protocol_.greeting());
    while (co_await converse()) {
    }
    if (leaving_) co_return;
    if (unread_) co_await drain();
    stream_->close();
}

Task<void> SmtpSession::drain() {
    const Time deadline = desk_.clock.now() + drain_timeout;
    for (std::size_t read = 0; read < drained_max; read += input_.size()) {
        if (!co_await fill(deadline)) co_return;
    }
}

Task<bool> SmtpSession::converse() {
    auto line = co_await next_line();
    if (!line) co_return false;
    idle_ = false;
    const auto behind =
        input_.empty() ? smtp::ServerSession::Behind::nothing : smtp::ServerSession::Behind::more;
    Step step = protocol_.step(*line, behind);
    if (lines_.dropped() > dropped_max) {
        say(reply(421, "4.7.0", "Too much that is no command, closing"));
        unread_ = true;
        co_await flush();
        co_return false;
    }
    co_return co_await carry_out(std::move(step));
}

Task<std::optional<smtp::Line>> SmtpSession::next_line() {
    const Time deadline = desk_.clock.now() + command_timeout;
    while (true) {
        if (auto line = lines_.next(input_)) co_return line;
        if (lines_.dropped() > dropped_max) {
            say(reply(421, "4.7.0", "Too much that is no command, closing"));
            unread_ = true;
            co_await flush();
            co_return std::nullopt;
        }
        // Nothing more to read from what has come: now the group's replies go out (RFC 2920 §3.2).
        if (stopping_ && !engaged()) {
            say(stopping_reply());
            co_await flush();
            co_return std::nullopt;
        }
        if (!co_await flush()) co_return std::nullopt;
        if (stopping_ && !engaged()) continue;
        buffer_.reset();  // all of it is used up; a client that rests costs no room
        listening_ = true;
        const bool filled = co_await fill(std::min(deadline, leave_by_));
        listening_ = false;
        if (!filled || leaving_) co_return std::nullopt;
    }
}

// False when the conversation is over.
Task<bool> SmtpSession::carry_out(Step step) {
    while (true) {
        if (step.reply) say(*step.reply);
        if (!protocol_.chunking() && chunks_) {
            chunks_.reset();
            chunk_share_.reset();
        }
        std::optional<Step> next;
        switch (step.next) {
            case Step::Next::command:
                if (out_.size() > replies_max && !co_await flush()) co_return false;
                co_return true;
            case Step::Next::close:
                unread_ = !input_.empty();
                co_await flush();
                co_return false;
            case Step::Next::start_tls:
                co_return co_await shake_hands();
            case Step::Next::data:
                next = co_await take_data();
                break;
            case Step::Next::chunk:
                next = co_await take_chunk(step);
                break;
            case Step::Next::store: {
                std::string message = chunks_->take();
                Reply verdict = co_await store(std::move(message));
                next = finish(std::move(verdict));
                break;
            }
        }
        if (!next) co_return false;
        step = *std::move(next);
    }
}

Step SmtpSession::finish(Reply verdict) {
    idle_ = true;
    return protocol_.finish(std::move(verdict));
}

Task<bool> SmtpSession::shake_hands() {
    if (!co_await flush()) co_return false;
    stream_->expires_at(desk_.clock.now() + handshake_timeout);
    const auto secured = co_await stream_->start_tls_server();
    if (!secured) {
        note_end(secured.error());
        co_return false;
    }
    lines_.reset();
    protocol_.tls_started();
    co_return true;
}

Time SmtpSession::data_deadline(Time started, std::uint64_t bytes) const {
    const Duration at_least = std::chrono::seconds(bytes / bytes_per_second_min);
    return std::min(desk_.clock.now() + piece_timeout, started + command_timeout + at_least);
}

Task<bool> SmtpSession::hold(InFlight::Share& share, std::uint64_t bytes) {
    if (!patient_) co_return share.hold(bytes);
    if (desk_.room.size() == 0 && share.hold(bytes)) co_return true;
    desk_.counters.waited_for_room.add();
    co_return co_await desk_.room.wait(desk_.clock,
                                       desk_.clock.now() + room_patience,
                                       [&share, bytes] { return share.hold(bytes); });
}

// No value when the connection is over; then nothing has been accepted.
Task<std::optional<Step>> SmtpSession::take_data() {
    const std::uint64_t size_max = settings_->relay.limits.message_size;
    const Time started = desk_.clock.now();
    smtp::DataReader reader(size_max);
    InFlight::Share share(desk_.in_flight);
    // All of it before the client begins: who has room for a half would keep others waiting.
    bool no_room = patient_ && !co_await hold(share, protocol_.transaction().mail.size.value_or(0));
    while (!reader.done()) {
        if (input_.empty()) {
            if (!co_await flush()) co_return std::nullopt;
            if (!co_await fill(data_deadline(started, reader.size()))) co_return std::nullopt;
        }
        reader.feed(input_);
        if (!no_room && reader.held() > share.held() && !co_await hold(share, reader.held())) {
            no_room = true;
            share.hold(0);
        }
        if (no_room) reader.forget();
        // As much again as a message may have is read and forgotten, more is not.
        if (reader.size() > size_max * 2) {
            say(too_large_reply());
            unread_ = true;
            co_await flush();
            co_return std::nullopt;
        }
    }
    if (no_room || reader.size() > size_max) {
        Reply verdict = no_room && reader.size() <= size_max ? no_room_reply() : too_large_reply();
        log_refusal(verdict, nullptr);
        co_return finish(std::move(verdict));
    }
    Reply verdict = co_await store(reader.take());
    co_return finish(std::move(verdict));
}

Task<std::optional<Step>> SmtpSession::take_chunk(Step chunk) {
    if (chunk.keep && !chunks_) {
        chunks_.emplace(settings_->relay.limits.message_size);
        chunk_share_.emplace(desk_.in_flight);
        chunks_started_ = desk_.clock.now();
        chunk_bytes_ = 0;
        no_room_ = patient_ &&
                   !co_await hold(*chunk_share_, protocol_.transaction().mail.size.value_or(0));
    }
    smtp::BdatReader refused(0);
    smtp::BdatReader& reader = chunk.keep ? *chunks_ : refused;
    reader.begin(chunk.octets,
                 chunk.keep ? smtp::BdatReader::Chunk::keep : smtp::BdatReader::Chunk::forget);
    // The rate is asked of the whole message: many small chunks are no way round it.
    const Time started = chunk.keep ? chunks_started_ : desk_.clock.now();
    const std::uint64_t before = chunk.keep ? chunk_bytes_ : 0;
    while (!reader.done()) {
        if (input_.empty()) {
            if (!co_await flush()) co_return std::nullopt;
            const std::uint64_t so_far = before + chunk.octets - reader.left();
            if (!co_await fill(data_deadline(started, so_far))) co_return std::nullopt;
        }
        reader.feed(input_);
        if (chunk.keep && !no_room_ && reader.held() > chunk_share_->held() &&
            !co_await hold(*chunk_share_, reader.held())) {
            no_room_ = true;
            chunk_share_->hold(0);
        }
        if (chunk.keep && no_room_) reader.forget();
    }
    if (chunk.keep) chunk_bytes_ += chunk.octets;
    if (chunk.keep && no_room_) {
        Reply verdict = no_room_reply();
        log_refusal(verdict, nullptr);
        co_return finish(std::move(verdict));
    }
    const bool too_large = chunk.keep && reader.too_large();
    if (too_large) log_refusal(too_large_reply(), nullptr);
    co_return protocol_.chunk_done(too_large ? smtp::ServerSession::Fit::too_large
                                             : smtp::ServerSession::Fit::within);
}

Task<Reply> SmtpSession::store(std::string message) {
    const Time now = desk_.clock.now();
    const Time wall = desk_.clock.wall();
    const Attribution attributed = attribution(message, wall);
    const Reception reception{protocol_.transaction(),
                              protocol_.forwarded(),
                              *settings_,
                              listener_,
                              client_,
                              trusted_,
                              protocol_.helo(),
                              protocol_.extended(),
                              stream_->tls(),
                              attributed.handed,
                              desk_.acceptor.next_id(),
                              now,
                              wall};
    Arrival arrival = make_arrival(reception, std::move(message));
    const std::string date = to_rfc5322(wall);
    const std::string id = arrival.envelope.id.text();
    arrival.invention = {date, id};
    auto prepared = prepare(std::move(arrival), rules_of(*settings_, listener_));
    if (const auto* refused = std::get_if<Refused>(&prepared)) {
        Reply verdict = reply(refused->code, refused->enhanced, refused->text);
        log_refusal(verdict, &refused->outcome);
        co_return verdict;
    }
    Prepared ready = std::get<Prepared>(std::move(prepared));
    co_return co_await hand_over(std::move(ready));
}

Task<Result<void>> SmtpSession::hand_in(NewMail mail) {
    if (!patient_) co_return co_await desk_.acceptor.accept(std::move(mail));
    const Time deadline = desk_.clock.now() + spool_patience;
    unsigned waiting = 0;
    while (true) {
        NewMail attempt = mail;
        auto taken = co_await desk_.acceptor.accept(std::move(attempt));
        const bool again = !taken && taken.error().fault == Fault::unavailable && !stopping_ &&
                           desk_.clock.now() < deadline;
        if (!again) {
            desk_.waiting_for_spool -= waiting;
            co_return taken;
        }
        if (waiting == 0) {
            desk_.counters.waited_for_spool.add();
            waiting = 1;
            ++desk_.waiting_for_spool;
        }
        co_await desk_.clock.sleep(spool_again);
    }
}

Attribution SmtpSession::attribution(std::string_view message, Time wall) {
    if (!trusted_ || !believes_handovers(*settings_, listener_)) return {};
    const std::string sender = protocol_.transaction().mail.path.address();
    Attribution found = attribute(message,
                                  {settings_->relay.handover_secret,
                                   sender,
                                   protocol_.forwarded().ident,
                                   wall,
                                   settings_->relay.delivery.expire_after});
    if (!found.invalid.empty()) {
        desk_.log.warning("intake.handover_invalid",
                          {{"why", found.invalid},
                           {"from", sender},
                           {"client", client_text(protocol_.forwarded(), client_)},
                           {"mta_id", smtp::harmless(protocol_.forwarded().ident)}});
    }
    return found;
}

void SmtpSession::slow_down_unattributed(NewMail& mail, Time now) {
    if (!believes_handovers(*settings_, listener_) || mail.envelope.account != unattributed) return;
    if (const std::size_t waiting = slow_down(mail, desk_.unattributed, now); waiting > 0) {
        desk_.log.info("intake.slowed_down",
                       {{"id", mail.envelope.id.text()},
                        {"account", mail.envelope.account},
                        {"nrcpt", waiting},
                        {"last_in", to_human(mail.works.back().due - now)},
                        {"per_hour", desk_.unattributed.per_hour()}});
    }
}

Task<Reply> SmtpSession::hand_over(Prepared prepared) {
    const Envelope envelope = prepared.envelope;
    const policy::Outcome outcome = std::move(prepared.outcome);
    const Time now = desk_.clock.now();
    NewMail mail = new_mail(std::move(prepared), now);
    slow_down_unattributed(mail, now);
    const auto taken = co_await hand_in(std::move(mail));
    const std::string id = envelope.id.text();
    if (taken) {
        desk_.counters.accepted.add();
        desk_.log.info("intake.accepted",
                       {{"id", id},
                        {"from", envelope.sender},
                        {"nrcpt", envelope.recipients.size()},
                        {"size", envelope.size},
                        {"client", envelope.client},
                        {"account", envelope.account},
                        {"helo", smtp::harmless(protocol_.helo())},
                        {"tag", envelope.tag},
                        {"mta_id", envelope.mta_queue_id},
                        {"message_id", envelope.message_id},
                        {"defects", list_of(outcome.defects)},
                        {"edits", outcome.edits.size()}});
        co_return reply(250, "2.0.0", "Ok: queued as " + id);
    }
    Reply verdict;
    switch (taken.error().fault) {
        case Fault::full:
            verdict = reply(452, "4.3.1", "The queue has no room; try again later");
            break;
        case Fault::broken:
            verdict = reply(421, "4.3.0", "The queue has failed; try again later");
            break;
        default:
            verdict = reply(451, "4.3.0", "The message could not be stored; try again later");
    }
    desk_.log.warning("intake.not_stored", {{"id", id}, {"why", taken.error().detail}});
    log_refusal(verdict, &outcome);
    co_return verdict;
}

std::optional<Reply> SmtpSession::mail(const smtp::MailArguments& arguments) {
    if (stopping_ && !engaged()) return stopping_reply();
    const SpoolHealth health = desk_.acceptor.health();
    if (health.broken) return reply(421, "4.3.0", "The queue has failed; try again later");
    const std::uint64_t size = arguments.size.value_or(0);
    if (!health.accepting || (health.free_bytes != 0 && size > health.free_bytes)) {
        return reply(452, "4.3.1", "The queue has no room; try again later");
    }
    if (!patient_ && size > desk_.in_flight.room()) return no_room_reply();
    return std::nullopt;
}

std::optional<Reply> SmtpSession::rcpt(const smtp::RcptArguments&) {
    if (trusted_) return std::nullopt;
    return reply(550, "5.7.1", "Relaying denied: your address may not send through this server");
}

Task<bool> SmtpSession::fill(Time deadline) {
    stream_->expires_at(deadline);
    if (!buffer_) {
        if (const auto ready = co_await stream_->readable(); !ready) {
            note_end(ready.error());
            co_return false;
        }
        buffer_ = std::make_unique_for_overwrite<char[]>(read_size);
    }
    const auto got = co_await stream_->read_some(std::span(buffer_.get(), read_size));
    if (!got) {
        note_end(got.error());
        co_return false;
    }
    input_ = std::string_view(buffer_.get(), *got);
    co_return true;
}

Task<bool> SmtpSession::flush() {
    if (out_.empty()) co_return true;
    if (leaving_) co_return false;
    const std::string said = std::exchange(out_, {});
    stream_->expires_at(desk_.clock.now() + write_timeout);
    const auto written = co_await stream_->write(said);
    if (!written) note_end(written.error());
    co_return written.has_value();
}

// Whether an MTA in front is on its way into a message. Postfix takes a lost connection or a 421
// there for a failed delivery and defers; a connection that rests after a message it tries out by
// RSET, and opens another when that fails.
bool SmtpSession::engaged() const {
    return patient_ && !idle_;
}

SmtpSession::Stopping SmtpSession::stop() {
    stopping_ = true;
    if (engaged() && !leaving_) {
        leave_by_ = desk_.clock.now() + engaged_timeout;
        if (listening_) stream_->expires_at(leave_by_);
        return Stopping::by_itself;
    }
    if (!listening_ || leaving_) return Stopping::by_itself;
    leaving_ = true;
    return Stopping::farewell_now;
}

Task<void> SmtpSession::farewell() {
    const auto alive = shared_from_this();
    const std::string said = smtp::format(stopping_reply());
    stream_->expires_at(desk_.clock.now() + farewell_timeout);
    co_await stream_->write(said);
    stream_->close();
}

void SmtpSession::log_refusal(const Reply& verdict, const policy::Outcome* outcome) {
    (verdict.permanent() ? desk_.counters.refused : desk_.counters.deferred).add();
    const smtp::ServerTransaction& transaction = protocol_.transaction();
    desk_.log.info("intake.refused",
                   {{"reply", verdict.text()},
                    {"from", transaction.mail.path.address()},
                    {"nrcpt", transaction.recipients.size()},
                    {"client", client_text(protocol_.forwarded(), client_)},
                    {"helo", smtp::harmless(protocol_.helo())},
                    {"mta_id", smtp::harmless(protocol_.forwarded().ident)},
                    {"defects", outcome == nullptr ? "" : list_of(outcome->defects)}});
}

void SmtpSession::note_end(const Failure& failure) {
    if (failure.fault == Fault::closed || leaving_) return;
    desk_.log.debug("intake.connection_ended",
                    {{"client", client_.text()}, {"why", failure.detail}});
}

}  // namespace millrace::relay
