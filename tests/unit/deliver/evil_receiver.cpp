#include "tests/unit/deliver/evil_receiver.hpp"

#include <array>

#include "common/virtual/connection.hpp"

namespace millrace::relay::evil {

namespace {

using namespace std::chrono_literals;

/// One session. Every method that writes returns whether the conversation goes on as if nothing had
/// been.
class Session {
  public:
    Session(Clock& clock, std::shared_ptr<Stream> stream, const Plan& plan, Receiver& receiver)
        : clock_(clock), stream_(std::move(stream)), plan_(plan), receiver_(receiver) {}

    Task<void> run() {
        if (at("connect")) {
            co_await act("220 evil.example ESMTP\r\n");
            stream_->close();
            co_return;
        }
        bool on = co_await answer("greeting", "220 evil.example ESMTP\r\n");
        while (on) {
            auto const line = co_await read_line();
            if (!line) break;
            on = co_await command(*line);
        }
        // Nobody hangs up before the other side has.
        while (co_await read_line()) {
        }
        stream_->close();
    }

  private:
    bool at(std::string_view phase) const { return plan_.phase == phase && !done_; }

    Task<bool> command(std::string line) {
        if (line.starts_with("EHLO")) {
            std::string reply = "250-evil.example\r\n";
            if (plan_.pipelining) reply += "250-PIPELINING\r\n";
            if (!secure_) reply += "250-STARTTLS\r\n";
            if (secure_) reply += "250-AUTH PLAIN\r\n";
            reply += "250 8BITMIME\r\n";
            co_return co_await answer(secure_ ? "EHLO-TLS" : "EHLO", reply);
        }
        if (line == "STARTTLS") co_return co_await start_tls();
        if (line.starts_with("AUTH")) co_return co_await answer("AUTH", "235 2.7.0 in\r\n");
        if (line.starts_with("MAIL")) {
            recipients_ = 0;
            ++transactions_;
            co_return co_await answer("MAIL", "250 2.1.0 ok\r\n");
        }
        bool const refuses = plan_.refuses_recipients && transactions_ == 1;
        if (line.starts_with("RCPT")) {
            std::string const reply = refuses ? "550 5.1.1 nobody\r\n" : "250 2.1.5 ok\r\n";
            if (++recipients_ == 1) co_return co_await say(reply);
            last_of_refused_ = refuses && !plan_.pipelining;
            co_return co_await answer("RCPT", reply);
        }
        if (line == "DATA") {
            if (refuses) {
                last_of_refused_ = true;
                co_return co_await answer("DATA", "554 5.5.1 no valid recipients\r\n");
            }
            if (!co_await answer("DATA", "354 go on\r\n")) co_return false;
            co_return co_await body();
        }
        if (line == "RSET") co_return co_await answer("RSET", "250 2.0.0 ok\r\n");
        if (line == "QUIT") {
            co_await answer("QUIT", "221 2.0.0 bye\r\n");
            co_return false;
        }
        co_return co_await say("500 5.5.2 what\r\n");
    }

    Task<bool> start_tls() {
        if (at("handshake") && plan_.action == "early") {
            co_await say("220 go\r\n250-AUTH PLAIN\r\n250 OK\r\n");
            co_return false;
        }
        if (!co_await answer("STARTTLS", "220 2.0.0 go\r\n")) co_return false;
        // A wrong answer to STARTTLS is not followed by a handshake.
        if (plan_.phase == "STARTTLS" && done_ && refused_) co_return true;
        if (at("handshake")) {
            if (plan_.action == "drip") co_await clock_.sleep(5s);
            if (plan_.action != "split" && plan_.action != "drip") {
                co_await act("250 OK\r\n");
                co_return false;
            }
        }
        if (!co_await stream_->start_tls_server()) co_return false;
        secure_ = true;
        if (at("EHLO-TLS") && plan_.action == "early") {
            done_ = true;
            skip_ = "EHLO-TLS";
            co_return co_await say("250-evil.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
        }
        co_return true;
    }

    Task<bool> body() {
        std::string message;
        bool struck = false;
        while (message.find("\r\n.\r\n") == std::string::npos) {
            if (at("body") && plan_.action == "drip") {
                co_await clock_.sleep(1s);
                char byte = 0;
                if (!co_await stream_->read_some(std::span(&byte, 1))) co_return false;
                message += byte;
                if (message.size() > 1200) co_return false;  // the other side is long gone
                continue;
            }
            if (!struck && message.size() > 1000) {
                struck = true;
                if (at("body") && plan_.action != "split") {
                    if (plan_.action == "stall") {
                        co_await clock_.sleep(30min);
                        co_return false;
                    }
                    if (!co_await act("250 2.0.0 taken\r\n")) co_return false;
                    done_ = true;
                }
                if (at("dot") && plan_.action == "early") {
                    done_ = true;
                    skip_ = "dot";
                    co_await say("250 2.0.0 taken\r\n");
                }
            }
            auto const more = co_await fill();
            if (!more) co_return false;
            message += buffered_;
            buffered_.clear();
        }
        auto const end = message.find("\r\n.\r\n") + 5;
        buffered_ = message.substr(end);
        message.resize(end);
        receiver_.last_message = std::move(message);
        bool const right = !at("dot");
        if (right) {
            ++receiver_.taken;
        } else if (plan_.action == "2xx" || plan_.action == "drip" || plan_.action == "bare-LF" ||
                   plan_.action == "split") {
            ++receiver_.taken;
        }
        co_return co_await answer("dot", "250 2.0.0 taken\r\n");
    }

    /// The reply that is due, or what the plan wants in its place.
    Task<bool> answer(std::string phase, std::string right) {
        if (skip_ == phase) {
            skip_.clear();
            co_return true;
        }
        if (at(phase) && plan_.action != "early") {
            done_ = true;
            co_return co_await act(right);
        }
        // The next reply, before its command.
        if (!done_ && plan_.action == "early" && before(plan_.phase) == phase) {
            done_ = true;
            skip_ = plan_.phase;
            right += early_reply();
        }
        co_return co_await say(right);
    }

    /// After whose reply the early one goes out.
    std::string before(const std::string& phase) const {
        if (phase == "EHLO") return "greeting";
        if (phase == "STARTTLS") return "EHLO";
        if (phase == "AUTH") return "EHLO-TLS";
        if (phase == "MAIL") return "EHLO-TLS";
        if (phase == "RCPT") return "MAIL";
        if (phase == "DATA") return "RCPT";
        if (phase == "body") return "DATA";
        if (phase == "QUIT") return "dot";
        if (phase == "RSET") {
            if (!last_of_refused_) return "";
            return plan_.pipelining ? "DATA" : "RCPT";
        }
        return "";
    }

    std::string early_reply() const {
        if (plan_.phase == "EHLO") return "250-evil.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n";
        if (plan_.phase == "STARTTLS") return "220 2.0.0 go\r\n";
        if (plan_.phase == "AUTH") return "235 2.7.0 in\r\n";
        if (plan_.phase == "DATA") return "354 go on\r\n";
        if (plan_.phase == "QUIT") return "221 2.0.0 bye\r\n";
        return "250 2.0.0 ok\r\n";
    }

    Task<bool> act(std::string right) {
        auto const& action = plan_.action;
        refused_ = true;
        if (action == "2xx") co_return co_await say("250 2.0.0 fine\r\n");
        if (action == "3xx") co_return co_await say("334 more\r\n");
        if (action == "4xx") co_return co_await say("451 4.7.1 later\r\n");
        if (action == "5xx") co_return co_await say("554 5.7.1 no\r\n");
        if (action == "421") {
            co_await say("421 4.3.2 closing\r\n");
            stream_->close();
            co_return false;
        }
        if (action == "FIN") {
            stream_->close();
            co_return false;
        }
        if (action == "RST") {
            auto& wire = dynamic_cast<virtual_::VirtualStream&>(*stream_);
            wire.connection()->send_reset(wire.side());
            stream_->close();
            co_return false;
        }
        if (action == "stall") co_return false;
        if (action == "garbage") {
            std::string noise;
            for (int i = 0; i < 62; ++i)
                noise += static_cast<char>(i * 37 + 128);
            co_await say(noise + "\r\n");
            co_return false;
        }
        if (action == "no-code") {
            co_await say("hello there\r\n");
            co_return false;
        }
        if (action == "mixed") {
            co_await say("250-one\r\n550 two\r\n");
            co_return false;
        }
        if (action == "endless") {
            std::string many;
            for (int i = 0; i < 64; ++i)
                many += "250-and so on\r\n";
            while (co_await say(many)) {
            }
            co_return false;
        }
        if (action == "long-line") {
            co_await say("250 " + std::string(1 << 20, 'x') + "\r\n");
            co_return false;
        }
        if (action == "NUL") {
            using namespace std::string_literals;
            co_await say("250 O\0K\r\n"s);
            co_return false;
        }
        if (action == "alert") {
            co_await say("\x15\x03\x03\x01\x02\x02\x28");
            stream_->close();
            co_return false;
        }
        refused_ = false;
        if (action == "bare-LF") {
            std::string bare;
            for (char const c : right) {
                if (c != '\r') bare += c;
            }
            co_return co_await say(bare);
        }
        for (char const c : right) {  // drip, split
            if (action == "drip") co_await clock_.sleep(1s);
            if (!co_await say(std::string(1, c))) co_return false;
        }
        co_return true;
    }

    Task<bool> say(std::string bytes) {
        auto const said = co_await stream_->write(bytes);
        co_return said.has_value();
    }

    Task<bool> fill() {
        if (!buffered_.empty()) co_return true;
        auto const got = co_await stream_->read_some(buffer_);
        if (!got) co_return false;
        buffered_.assign(buffer_.data(), *got);
        co_return true;
    }

    Task<std::optional<std::string>> read_line() {
        while (true) {
            auto const end = buffered_.find("\r\n");
            if (end != std::string::npos) {
                auto line = buffered_.substr(0, end);
                buffered_.erase(0, end + 2);
                co_return line;
            }
            auto const got = co_await stream_->read_some(buffer_);
            if (!got) co_return std::nullopt;
            buffered_.append(buffer_.data(), *got);
        }
    }

    Clock& clock_;
    std::shared_ptr<Stream> stream_;
    const Plan& plan_;
    Receiver& receiver_;
    std::string buffered_;
    std::array<char, 16 * 1024> buffer_{};
    bool secure_ = false;
    bool done_ = false;     ///< the plan has been carried out
    bool refused_ = false;  ///< … by something else than the right reply
    bool last_of_refused_ = false;
    std::string skip_;  ///< the phase whose reply has gone out before
    int recipients_ = 0;
    int transactions_ = 0;
};

}  // namespace

Receiver::Receiver(Clock& clock,
                   TaskGroup& conversations,
                   std::unique_ptr<Listener> listener,
                   Plan plan)
    : clock_(clock),
      conversations_(conversations),
      listener_(std::move(listener)),
      plan_(std::move(plan)) {}

Task<void> Receiver::serve() {
    while (true) {
        auto stream = co_await listener_->accept();
        if (!stream) co_return;
        ++sessions;
        conversations_.spawn(converse(std::move(*stream)));
    }
}

Task<void> Receiver::converse(std::shared_ptr<Stream> stream) {
    Session session(clock_, std::move(stream), plan_, *this);
    co_await session.run();
    ++ended;
}

}  // namespace millrace::relay::evil
