#include "common/virtual/receiver.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace millrace::virtual_ {
namespace {

constexpr Duration patience = std::chrono::minutes(5);  // RFC 5321 §4.5.3.2.7
constexpr std::size_t longest_line = 4096;

/// The address in `MAIL FROM:<address> …`; the null sender is empty.
std::string path_of(const std::string& line) {
    const auto open = line.find('<');
    const auto close = line.find('>', open == line.npos ? 0 : open);
    if (open == line.npos || close == line.npos) return {};
    return line.substr(open + 1, close - open - 1);
}

bool is_command(const std::string& line, std::string_view verb) {
    if (line.size() < verb.size()) return false;
    return std::equal(verb.begin(), verb.end(), line.begin(), [](char a, char b) {
        return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 'a' + 'A') : b);
    });
}

}  // namespace

struct Receiver::Session {
    std::unique_ptr<Stream> stream;
    std::uint64_t connection = 0;
    std::string buffer;
    bool in_mail = false;
    std::string sender;
    std::vector<std::string> recipients;
    unsigned messages = 0;
};

Receiver::Receiver(
    Machine& machine, Network& network, Random& random, Endpoint at, std::string name)
    : machine_(machine), random_(random), at_(at), name_(std::move(name)) {
    auto listener = network.listen(at);
    if (listener) {
        asio::co_spawn(machine.executor(), listen(*this, std::move(*listener)), asio::detached);
    }
}

Task<void> Receiver::listen(Receiver& self, std::unique_ptr<Listener> listener) {
    for (;;) {
        auto stream = co_await listener->accept();
        if (!stream && stream.error().fault == Fault::cancelled) co_return;
        if (!stream) {
            co_await self.machine_.sleep(std::chrono::seconds(1));
            continue;
        }
        asio::co_spawn(
            self.machine_.executor(), converse(self, std::move(*stream)), asio::detached);
    }
}

Task<void> Receiver::converse(Receiver& self, std::unique_ptr<Stream> stream) {
    Session session;
    session.stream = std::move(stream);
    session.connection = DeliveryProof(*session.stream).connection();
    const Manners& manners = self.manners;
    ++self.open_;
    if (manners.black_hole) {
        self.machine_.simulation().fault_fired("black-hole");
        co_await self.machine_.sleep(std::chrono::hours(1));
    } else if (manners.connections_max != 0 && self.open_ > manners.connections_max) {
        self.machine_.simulation().fault_fired("too-many-connections");
        const std::string reply = "421 4.7.0 " + self.name_ + " Too many concurrent connections";
        const std::vector<std::string> nobody = {""};
        co_await self.answer(session, Moment::banner, nobody, reply);
    } else if (!self.drops(Moment::banner)) {
        const auto special = self.scripted(Moment::banner);
        bool on = co_await self.say(session, special ? *special : "220 " + self.name_ + " ESMTP");
        on = on && !(special && special->starts_with('4'));
        while (on) {
            const auto command = co_await self.line(session);
            if (!command) break;
            on = co_await self.serve(session, *command);
        }
    }
    --self.open_;
    session.stream->close();
}

Task<std::optional<std::string>> Receiver::line(Session& session) {
    for (;;) {
        const auto end = session.buffer.find("\r\n");
        if (end != session.buffer.npos) {
            std::string line = session.buffer.substr(0, end);
            session.buffer.erase(0, end + 2);
            co_return line;
        }
        if (session.buffer.size() > longest_line) co_return std::nullopt;
        std::array<char, 2048> room;
        session.stream->expires_at(machine_.now() + patience);
        const std::span<char> span(room);
        const auto got = co_await session.stream->read_some(span);
        if (!got) co_return std::nullopt;
        session.buffer.append(room.data(), *got);
    }
}

Task<bool> Receiver::say(Session& session, std::string reply) {
    if (manners.tarpit > Duration::zero()) {
        machine_.simulation().fault_fired("tarpit");
        co_await machine_.sleep(manners.tarpit);
    }
    std::string bytes = reply + "\r\n";
    if (manners.multiline && reply.size() > 4 && reply[3] == ' ') {
        bytes = reply.substr(0, 3) + "-" + reply.substr(4) + "\r\n" + bytes;
    }
    session.stream->expires_at(machine_.now() + patience);
    const auto written = co_await session.stream->write(bytes);
    co_return written.has_value();
}

bool Receiver::drops(Moment moment) {
    const auto found = manners.drop.find(moment);
    if (found == manners.drop.end() || !chance(found->second)) return false;
    static constexpr std::array names{
        "banner", "hello", "starttls", "mail", "recipient", "data", "body", "dot"};
    machine_.simulation().fault_fired(std::string("drop-at-") +
                                      names.at(static_cast<std::size_t>(moment)));
    return true;
}

std::optional<std::string> Receiver::scripted(Moment moment) const {
    const auto found = manners.replies.find(moment);
    return found == manners.replies.end() ? std::nullopt : std::optional(found->second);
}

Task<bool> Receiver::answer(Session& session,
                            Moment moment,
                            std::vector<std::string> addresses,
                            std::string reply) {
    const bool limit =
        reply.find("Too many") != reply.npos || reply.find("rate limit") != reply.npos;
    const bool block = reply.find("poor reputation") != reply.npos;
    const auto proof = std::make_shared<DeliveryProof>(*session.stream);
    const std::size_t first = answers_.size();
    for (const std::string& address : addresses) {
        answers_.push_back({machine_.now(),
                            moment,
                            session.connection,
                            session.sender,
                            address,
                            reply,
                            manners.tarpit,
                            limit,
                            block,
                            proof,
                            0});
    }
    const bool said = co_await say(session, reply);
    for (std::size_t i = first; said && i < first + addresses.size(); ++i) {
        answers_[i].ends = proof->written();
    }
    co_return said;
}

Task<bool> Receiver::hello(Session& session, std::string line) {
    if (drops(Moment::hello)) co_return false;
    if (const auto special = scripted(Moment::hello)) co_return co_await say(session, *special);
    if (is_command(line, "HELO")) co_return co_await say(session, "250 " + name_);
    std::string reply = "250-" + name_ + "\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n";
    reply += "250-SMTPUTF8\r\n250-SIZE 10000000\r\n";
    if (manners.pipelining) reply += "250-PIPELINING\r\n";
    if (manners.starttls && !session.stream->tls()) reply += "250-STARTTLS\r\n";
    reply += "250 HELP";
    session.stream->expires_at(machine_.now() + patience);
    const std::string bytes = reply + "\r\n";
    const auto written = co_await session.stream->write(bytes);
    co_return written.has_value();
}

Task<bool> Receiver::serve(Session& session, std::string line) {
    if (is_command(line, "EHLO") || is_command(line, "HELO")) {
        session.in_mail = false;
        co_return co_await hello(session, std::move(line));
    }
    if (is_command(line, "STARTTLS")) {
        if (drops(Moment::starttls)) co_return false;
        if (manners.starttls_refused || !manners.starttls) {
            machine_.simulation().fault_fired("starttls-refused");
            co_return co_await say(session, "454 4.7.0 TLS not available");
        }
        if (!co_await say(session, "220 2.0.0 go ahead")) co_return false;
        session.buffer.clear();
        const auto shaken = co_await session.stream->start_tls_server();
        if (!shaken) machine_.simulation().fault_fired("handshake-failed");
        co_return shaken.has_value();
    }
    if (is_command(line, "MAIL")) co_return co_await mail(session, std::move(line));
    if (is_command(line, "RCPT")) co_return co_await recipient(session, std::move(line));
    if (is_command(line, "DATA")) co_return co_await data(session);
    if (is_command(line, "RSET")) {
        session.in_mail = false;
        co_return co_await say(session, "250 2.0.0 ok");
    }
    if (is_command(line, "NOOP")) co_return co_await say(session, "250 2.0.0 ok");
    if (is_command(line, "QUIT")) {
        co_await say(session, "221 2.0.0 bye");
        co_return false;
    }
    co_return co_await say(session, "500 5.5.1 command not known");
}

Task<bool> Receiver::mail(Session& session, std::string line) {
    if (drops(Moment::mail)) co_return false;
    session.sender = path_of(line);
    session.recipients.clear();
    const Time now = machine_.now();
    std::erase_if(mails_, [&](Time t) { return t + manners.interval <= now; });
    std::string reply = scripted(Moment::mail).value_or("250 2.1.0 ok");
    bool goes_on = true;
    if (manners.blocks_after != 0 && taken_.size() >= manners.blocks_after &&
        blocked_until_ == Time{}) {
        blocked_until_ = now + manners.block;
    }
    if (manners.blocks_after != 0 && now < blocked_until_) {
        machine_.simulation().fault_fired("shut-out");
        reply = "421 4.7.0 Your address has a poor reputation, try again later";
        goes_on = false;
    } else if (manners.messages_per_connection != 0 &&
        session.messages >= manners.messages_per_connection) {
        machine_.simulation().fault_fired("too-many-on-connection");
        reply = "421 4.7.0 Too many messages in this connection";
        goes_on = false;
    } else if (manners.messages_per_interval != 0 &&
               mails_.size() >= manners.messages_per_interval) {
        machine_.simulation().fault_fired("rate-limited");
        reply = "450 4.7.1 rate limit exceeded, try later";
    }
    session.in_mail = reply.starts_with('2');
    if (session.in_mail) mails_.push_back(now);
    const std::vector<std::string> nobody = {""};
    co_return co_await answer(session, Moment::mail, nobody, reply) && goes_on;
}

Task<bool> Receiver::recipient(Session& session, std::string line) {
    if (drops(Moment::recipient)) co_return false;
    const std::string address = path_of(line);
    std::string reply = scripted(Moment::recipient).value_or("250 2.1.5 ok");
    const auto known = manners.recipients.find(address);
    if (!session.in_mail) {
        reply = "503 5.5.1 MAIL first";
    } else if (known != manners.recipients.end()) {
        reply = known->second;
    } else if (manners.recipients_max != 0 && session.recipients.size() >= manners.recipients_max) {
        machine_.simulation().fault_fired("too-many-recipients");
        reply =
            manners.full_is_552 ? "552 5.5.3 too many recipients" : "452 4.5.3 too many recipients";
    } else if (manners.greylist > Duration::zero()) {
        const std::string triple =
            session.stream->peer().address.to_string() + " " + session.sender + " " + address;
        const auto [first, fresh] = greylist_.emplace(triple, machine_.now());
        if (machine_.now() < first->second + manners.greylist) {
            machine_.simulation().fault_fired("greylisted");
            reply = "450 4.2.0 Greylisted, try again later";
        }
    }
    if (reply.starts_with('2')) session.recipients.push_back(address);
    const std::vector<std::string> one = {address};
    co_return co_await answer(session, Moment::recipient, one, reply);
}

Task<bool> Receiver::data(Session& session) {
    if (drops(Moment::data)) co_return false;
    if (session.recipients.empty())
        co_return co_await say(session, "554 5.5.1 no valid recipients");
    if (const auto special = scripted(Moment::data)) co_return co_await say(session, *special);
    if (!co_await say(session, "354 go ahead")) co_return false;
    if (drops(Moment::body)) co_return false;
    std::string bytes;
    for (;;) {
        const auto text = co_await line(session);
        if (!text) co_return false;
        if (*text == ".") break;
        bytes += text->starts_with('.') ? text->substr(1) : *text;
        bytes += "\r\n";
    }
    co_return co_await dot(session, std::move(bytes));
}

Task<bool> Receiver::dot(Session& session, std::string bytes) {
    session.in_mail = false;
    if (drops(Moment::dot)) co_return false;
    ++session.messages;
    std::string reply = scripted(Moment::dot).value_or("250 2.0.0 taken");
    if (chance(manners.busy)) {
        machine_.simulation().fault_fired("busy-at-dot");
        reply = "451 4.3.0 try again";
    }
    if (!reply.starts_with('2')) {
        co_return co_await answer(session, Moment::dot, session.recipients, reply);
    }

    auto proof = std::make_shared<DeliveryProof>(*session.stream);
    taken_.push_back({machine_.now(),
                      session.connection,
                      session.stream->peer().address,
                      session.sender,
                      session.recipients,
                      std::move(bytes),
                      manners.tarpit,
                      false,
                      proof,
                      0});
    const std::size_t mine = taken_.size() - 1;
    if (on_taken) on_taken(taken_[mine]);
    if (chance(manners.drop_taken)) {
        machine_.simulation().fault_fired("drop-after-taking");
        co_return false;
    }
    const bool said = co_await answer(session, Moment::dot, session.recipients, reply);
    taken_[mine].answered = said;
    taken_[mine].answer_ends = proof->written();
    co_return said;
}

}  // namespace millrace::virtual_
