// How a conversation begins: connect, greet, hello, secure, authenticate.
#include "common/mail/transfer_encoding.hpp"
#include "common/smtp/reply.hpp"
#include "relay/deliver/conversation.hpp"
#include "relay/deliver/timeouts.hpp"

namespace millrace::relay {

namespace {

/// The server does not know EHLO, as opposed to not wanting us (RFC 5321 §3.2).
bool knows_no_ehlo(const smtp::Reply& reply) {
    return reply.code == 500 || reply.code == 501 || reply.code == 502 || reply.code == 504;
}

/// With the login on it, a connection must be encrypted; `verify` stays what it is.
config::TlsLevel level_of(const Route& route) {
    if (route.login && route.tls < config::TlsLevel::encrypt) return config::TlsLevel::encrypt;
    return route.tls;
}

/// Opportunistic TLS that breaks is given up for this connection (RFC 7435): the server may know
/// none of our ciphers. An answer that says no is none of these: there the connection goes on.
bool breaks_tls(const Setback& setback) {
    return setback.lost && setback.code == 0 &&
           (setback.phase == Phase::starttls || setback.phase == Phase::handshake ||
            setback.phase == Phase::hello_again);
}

}  // namespace

Conversation::Conversation(
    Network& network, Clock& clock, Log& log, TaskGroup& readers, CourierOptions options)
    : network_(network),
      clock_(clock),
      log_(log),
      readers_(readers),
      options_(std::move(options)) {}

Conversation::~Conversation() {
    abort();
}

Task<Opened> Conversation::open(Route route, std::vector<Target> targets) {
    Opened opened;
    opened.text = "no address to connect to";
    opened.enhanced = "4.4.4";
    bool all_closed = !targets.empty();
    bool ours = false;
    std::string our_trouble;  ///< the first
    for (const auto& target : targets) {
        if (!options_.sources.reach(target.endpoint.address)) {
            if (opened.tried == 0) {
                opened.text = "the source has no address of a family that the server has";
            }
            continue;
        }
        if (!may_send() || aborted_) {
            opened.refused = opened.tried == 0;
            opened.text = aborted_ ? "the relay is stopping" : "this machine may not send now";
            opened.enhanced = "4.3.2";
            all_closed = false;
            break;
        }
        ++opened.tried;
        auto level = level_of(route);
        auto setback = co_await approach(target, level, route.login);
        if (setback && level == config::TlsLevel::may && breaks_tls(*setback) && !aborted_) {
            log_.info("delivery.tls-given-up", {{"host", host_}, {"why", setback->text}});
            setback = co_await approach(target, config::TlsLevel::none, route.login);
        }
        opened.host = host_;
        opened.source_ip = source_ip_;
        if (!setback) {
            wire_->listen(readers_);
            opened.ok = true;
            opened.text.clear();
            opened.enhanced.clear();
            co_return opened;
        }
        if (!setback->lost && wire_) co_await wire_->say("QUIT\r\n", timeouts::quit);
        part();
        opened.phase = setback->phase;
        opened.code = setback->code;
        // A reply stands as it was said; what was not said says where it happened.
        opened.text = setback->code == 0
                          ? std::string(to_string(setback->phase)) + ": " + setback->text
                          : setback->text;
        opened.enhanced = enhanced_for(OutcomeKind::deferred, setback->enhanced, "4.4.2");
        opened.typed = setback->typed;
        opened.hung_up = setback->hung_up && setback->phase == Phase::greeting;
        if (setback->ours) {
            if (!ours) our_trouble = setback->text;
            ours = true;
        }
        // RFC 7504 §4: a host that says so in its greeting never takes mail.
        all_closed = all_closed && setback->phase == Phase::greeting && setback->code == 521;
        log_.debug("delivery.host-failed", {{"host", host_}, {"why", opened.line()}});
        // It speaks for all hosts of the site: to ask the next one is to be refused once more.
        if (is_limit(setback->typed.blame) || setback->typed.blame == Blame::reputation ||
            setback->typed.blame == Blame::blocklist) {
            break;
        }
    }
    if (ours) {
        // What another address said does not count while this machine could not try all of them.
        opened.ours = true;
        opened.kind = OutcomeKind::deferred;
        opened.phase = Phase::connect;
        opened.code = 0;
        opened.text = our_trouble;
        opened.enhanced = "4.3.5";
        opened.typed = {};
    } else if (all_closed && opened.tried > 0) {
        opened.kind = OutcomeKind::bounced;
        opened.enhanced = enhanced_for(OutcomeKind::bounced, opened.enhanced, "5.3.2");
    }
    co_return opened;
}

Task<Step> Conversation::approach(Target target,
                                  config::TlsLevel level,
                                  std::optional<Login> login) {
    auto const name = target.host;
    if (auto no = co_await connect(std::move(target))) co_return no;
    if (auto no = co_await greet()) co_return no;
    if (auto no = co_await hello(Phase::hello)) co_return no;
    if (level != config::TlsLevel::none) {
        if (auto no = co_await secure(level, name)) co_return no;
    }
    if (login) {
        if (auto no = co_await authenticate(std::move(*login))) co_return no;
    }
    co_return std::nullopt;
}

Task<Step> Conversation::connect(Target target) {
    part();
    offers_ = {};
    auto const address = target.endpoint.address.to_string();
    host_ = target.host.starts_with('[') ? target.host : target.host + " [" + address + "]";
    if (target.endpoint.port != 25) host_ += ":" + std::to_string(target.endpoint.port);
    auto const from = options_.sources.towards(target.endpoint.address);
    hostname_ = from.hostname.empty() ? options_.hostname : from.hostname;
    source_ip_ = from.address ? from.address->to_string() : "";

    auto const& transcript = options_.transcript;
    if (transcript) transcript->connecting(host_, source_ip_);
    auto const executor = co_await asio::this_coro::executor;
    auto stream = co_await network_.connect(
        target.endpoint, from.address, clock_.now() + options_.connect_timeout);
    if (!stream) {
        if (transcript) transcript->broke("not connected: " + stream.error().detail);
        auto setback = dead(Phase::connect, stream.error());
        setback.enhanced = "4.4.1";
        setback.ours = from.address && stream.error().fault == Fault::unavailable;
        co_return setback;
    }
    source_ip_ = (*stream)->local().address.to_string();
    if (transcript) transcript->connected(source_ip_);
    wire_ = std::make_shared<Wire>(std::move(*stream), clock_, executor, transcript);
    if (aborted_) {
        co_return dead(Phase::connect, {Fault::cancelled, "the relay is stopping"});
    }
    co_return std::nullopt;
}

Task<Step> Conversation::greet() {
    auto const greeting = co_await wire_->reply(timeouts::greeting);
    if (!greeting) co_return dead(Phase::greeting, greeting.error());
    if (greeting->positive()) co_return std::nullopt;
    if (greeting->intermediate()) co_return nonsense(Phase::greeting, *greeting);
    co_return no(Phase::greeting, *greeting);
}

Task<Step> Conversation::hello(Phase phase) {
    auto const answer = co_await ask("EHLO " + hostname_, timeouts::hello);
    if (!answer) co_return dead(phase, answer.error());
    if (answer->positive()) {
        offers_ = smtp::parse_ehlo(*answer);
        co_return std::nullopt;
    }
    if (answer->intermediate()) co_return nonsense(phase, *answer);
    // In TLS the server has already shown that it knows EHLO.
    if (phase == Phase::hello_again || !knows_no_ehlo(*answer)) co_return no(phase, *answer);
    auto const plain = co_await ask("HELO " + hostname_, timeouts::hello);
    if (!plain) co_return dead(phase, plain.error());
    if (plain->intermediate()) co_return nonsense(phase, *plain);
    if (!plain->positive()) co_return no(phase, *plain);
    co_return std::nullopt;
}

Task<Step> Conversation::secure(config::TlsLevel level, std::string name) {
    bool const must = level != config::TlsLevel::may;
    auto const missing = [&](std::string text) {
        Setback setback;
        setback.phase = Phase::starttls;
        setback.enhanced = "4.7.4";
        setback.text = std::move(text);
        setback.typed = Typed::of(Blame::tls);
        return setback;
    };
    if (!offers_.starttls) {
        if (!must) co_return std::nullopt;
        co_return missing("TLS is required, but the server does not offer it");
    }
    auto const answer = co_await ask("STARTTLS", timeouts::starttls);
    if (!answer) co_return dead(Phase::starttls, answer.error());
    if (answer->code != 220) {
        if (answer->intermediate() || answer->positive()) {
            co_return nonsense(Phase::starttls, *answer);
        }
        if (answer->code == 421) co_return no(Phase::starttls, *answer);
        if (!must) co_return std::nullopt;
        auto setback = no(Phase::starttls, *answer);
        setback.typed = Typed::of(Blame::tls);
        co_return setback;
    }
    // A server that spoke before the handshake has been interfered with (RFC 3207 §6): not in TLS,
    // and not in clear either.
    if (wire_->disturbed()) {
        wire_->close();
        co_return missing("the server said something before the TLS handshake");
    }
    offers_ = {};
    TlsClient options;
    options.server_name = std::move(name);
    options.verify = level == config::TlsLevel::verify;
    auto const secured = co_await wire_->secure(std::move(options), timeouts::handshake);
    if (!secured) {
        auto setback = dead(Phase::handshake, secured.error());
        setback.enhanced = "4.7.5";
        setback.typed = Typed::of(Blame::tls);
        co_return setback;
    }
    co_return co_await hello(Phase::hello_again);
}

Task<Step> Conversation::authenticate(Login login) {
    Setback setback;
    setback.phase = Phase::auth;
    setback.enhanced = "4.7.0";
    if (!wire_->in_tls()) {
        setback.text = "no password is sent without TLS";
        co_return setback;
    }
    if (options_.transcript) options_.transcript->hide(login.password);
    Result<smtp::Reply> answer = smtp::Reply{};
    if (offers_.offers_auth("PLAIN")) {
        std::string credentials;
        credentials.append(1, '\0').append(login.user).append(1, '\0').append(login.password);
        answer = co_await ask("AUTH PLAIN " + mail::base64(credentials), timeouts::auth);
    } else if (offers_.offers_auth("LOGIN")) {
        answer = co_await ask("AUTH LOGIN", timeouts::auth);
        if (answer && answer->code == 334) {
            answer = co_await ask(mail::base64(login.user), timeouts::auth);
        }
        if (answer && answer->code == 334) {
            answer = co_await ask(mail::base64(login.password), timeouts::auth);
        }
    } else {
        setback.text = "the server offers neither AUTH PLAIN nor AUTH LOGIN";
        co_return setback;
    }
    if (!answer) co_return dead(Phase::auth, answer.error());
    if (answer->positive()) co_return std::nullopt;
    if (answer->intermediate()) co_return nonsense(Phase::auth, *answer);
    co_return no(Phase::auth, *answer);
}

/// Leaves without waiting: nothing of ours is at stake.
void Conversation::part() {
    if (wire_) wire_->close();
    wire_.reset();
}

void Conversation::abort() {
    aborted_ = true;
    if (wire_) wire_->close();
}

Task<Result<smtp::Reply>> Conversation::ask(std::string command, Duration limit) {
    command += "\r\n";
    auto const wire = wire_;
    // A server that closes after its last word has still said it: a failure to write shows when
    // there is nothing to read.
    co_await wire->say(std::move(command), limit);
    co_return co_await wire->reply(limit);
}

Setback Conversation::no(Phase phase, const smtp::Reply& reply) const {
    Setback setback;
    setback.phase = phase;
    setback.code = reply.code;
    setback.enhanced = reply.enhanced;
    std::string text;
    for (const auto& line : reply.lines) {
        if (!text.empty()) text += ' ';
        text += line;
    }
    setback.text = one_line(text);
    setback.typed = options_.rules->type(
        options_.provider, reply.code, reply.enhanced, setback.text, sender_domain_);
    setback.lost = reply.code == 421;
    return setback;
}

Setback Conversation::dead(Phase phase, const Failure& why) const {
    Setback setback;
    setback.phase = phase;
    setback.enhanced = why.fault == Fault::invalid ? "4.5.0" : "4.4.2";
    setback.text = one_line(why.detail);
    setback.lost = true;
    setback.hung_up = why.fault == Fault::closed || why.fault == Fault::reset;
    return setback;
}

/// A reply that cannot be an answer to what was asked: from here on nobody knows which reply
/// belongs to what.
Setback Conversation::nonsense(Phase phase, const smtp::Reply& reply) {
    auto setback = no(phase, reply);
    setback.text = "unexpected reply " + std::to_string(reply.code) + " " + setback.text;
    setback.code = 0;
    setback.enhanced = "4.5.0";
    setback.typed = {};
    setback.lost = true;
    if (wire_) wire_->close();
    return setback;
}

}  // namespace millrace::relay
