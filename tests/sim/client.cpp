#include "tests/sim/client.hpp"

#include <array>

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration patience = 2min;

/// Reads one reply; its last line, or empty when the connection is gone.
Task<std::string> reply(Clock& clock, Stream& stream, std::string& buffer) {
    for (;;) {
        for (auto end = buffer.find("\r\n"); end != buffer.npos; end = buffer.find("\r\n")) {
            const std::string line = buffer.substr(0, end);
            buffer.erase(0, end + 2);
            if (line.size() == 3 || (line.size() > 3 && line[3] == ' ')) co_return line;
        }
        std::array<char, 1024> room;
        const std::span<char> span(room);
        stream.expires_at(clock.now() + patience);
        const auto got = co_await stream.read_some(span);
        if (!got) co_return std::string();
        buffer.append(room.data(), *got);
    }
}

Task<std::string> ask(Clock& clock, Stream& stream, std::string& buffer, std::string command) {
    command += "\r\n";
    stream.expires_at(clock.now() + patience);
    const auto written = co_await stream.write(command);
    if (!written) co_return std::string();
    co_return co_await reply(clock, stream, buffer);
}

std::string content(const Sent& message) {
    std::string to;
    for (const std::string& recipient : message.recipients) {
        to += (to.empty() ? "<" : ", <") + recipient + ">";
    }
    const std::string number = std::to_string(message.number);
    std::string text = "From: Client <" + sender_address(message.number) + ">\r\nTo: " + to +
                       "\r\nSubject: message " + number +
                       "\r\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r\nMessage-ID: <m" + number +
                       "@client.example>\r\nMIME-Version: 1.0\r\n"
                       "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
    // Dot-stuffing (RFC 5321 §4.5.2).
    for (std::size_t at = 0; at < message.body.size();) {
        const auto end = message.body.find("\r\n", at) + 2;
        if (message.body[at] == '.') text += '.';
        text += message.body.substr(at, end - at);
        at = end;
    }
    return text + ".\r\n";
}

}  // namespace

Task<void> send_message(
    Clock& clock, Network& network, Endpoint relay, Sent& message, std::function<void()> answered) {
    std::unique_ptr<Stream> stream;
    std::string buffer;
    const std::optional<Address> source;
    for (;;) {  // a client waits for a relay that is starting
        auto made = co_await network.connect(relay, source, clock.now() + 30s);
        if (made) {
            stream = std::move(*made);
            const std::string greeting = co_await reply(clock, *stream, buffer);
            if (greeting.starts_with('2')) break;
            buffer.clear();
        }
        co_await clock.sleep(20s);
    }
    message.begun = clock.now();
    std::string said = co_await ask(clock, *stream, buffer, "EHLO client.example");
    if (said.starts_with('2')) {
        said = co_await ask(clock, *stream, buffer, "MAIL FROM:<" + message.sender + ">");
    }
    // All or nothing: whoever is not taken makes the whole message refused here.
    for (std::size_t i = 0; said.starts_with('2') && i < message.recipients.size(); ++i) {
        said = co_await ask(clock, *stream, buffer, "RCPT TO:<" + message.recipients[i] + ">");
    }
    if (said.starts_with('2')) said = co_await ask(clock, *stream, buffer, "DATA");
    if (!said.starts_with('3')) {
        message.fate = Sent::Fate::refused;  // also a connection that died before the dot
        co_return;
    }
    const std::string bytes = content(message);
    stream->expires_at(clock.now() + patience);
    const auto written = co_await stream->write(bytes);
    if (!written) co_return;  // the dot may have got through
    said = co_await reply(clock, *stream, buffer);
    if (said.empty()) co_return;
    message.answered = clock.now();
    message.fate = said.starts_with('2') ? Sent::Fate::accepted : Sent::Fate::refused;
    const auto queued = said.find("queued as ");
    if (queued != said.npos) message.queue_id = said.substr(queued + 10);
    answered();
    co_await ask(clock, *stream, buffer, "QUIT");
}

}  // namespace millrace::sim
