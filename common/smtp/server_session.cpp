#include "common/smtp/server_session.hpp"

#include <algorithm>
#include <utility>

namespace millrace::smtp {

namespace {

// Mistakes between two messages: some clients probe, none needs 20 tries. Postfix ends it at 20
// too.
constexpr unsigned errors_max = 20;
// NOOP, RSET, EHLO, VRFY and their like between two messages.
constexpr unsigned idle_commands_max = 100;
// A client that does not understand 452 and goes on may do so for this long.
constexpr unsigned overshoot_max = 1000;

using Next = Step::Next;

Step answer(unsigned code, std::string_view enhanced, std::string_view text) {
    return Step{Next::command, reply(code, enhanced, text)};
}

Step closing(unsigned code, std::string_view enhanced, std::string_view text) {
    return Step{Next::close, reply(code, enhanced, text)};
}

Step out_of_order(std::string_view text) {
    return answer(503, "5.5.1", text);
}

Step syntax(std::string_view text) {
    return answer(501, "5.5.4", text);
}

Step not_synchronised() {
    return closing(554, "5.5.0", "Commands were sent without waiting for the answer");
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(text, [](char c) {
        return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 127;
    });
}

bool is_idle(Verb verb) {
    switch (verb) {
        case Verb::mail:
        case Verb::rcpt:
        case Verb::data:
        case Verb::bdat:
        case Verb::quit:
            return false;
        default:
            return true;
    }
}

}  // namespace

Reply ServerSession::greeting() const {
    return reply(220, "", options_.hostname + " ESMTP");
}

Reply ServerSession::capabilities() const {
    Reply out{250, "", {options_.hostname}};
    out.lines.insert(out.lines.end(),
                     {"PIPELINING",
                      "SIZE " + std::to_string(options_.size_max),
                      "8BITMIME",
                      "SMTPUTF8",
                      "DSN",
                      "CHUNKING",
                      "ENHANCEDSTATUSCODES",
                      "LIMITS RCPTMAX=" + std::to_string(options_.recipients_max)});
    if (options_.starttls && !secure_) out.lines.emplace_back("STARTTLS");
    if (options_.xforward)
        out.lines.emplace_back("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
    return out;
}

void ServerSession::reset() {
    transaction_.reset();
    chunking_ = false;
    last_chunk_ = false;
    chunk_refusal_.reset();
    forwarded_ = {};
    overshoot_ = 0;
}

void ServerSession::tls_started() {
    reset();
    helo_.clear();
    dialect_ = Dialect::basic;
    secure_ = true;
    spoken_ = false;
}

Step ServerSession::counted(Step step) {
    if (!step.reply || step.next == Next::close) return step;
    if (step.reply->code >= 400) ++errors_;
    if (errors_ >= errors_max) return closing(421, "4.7.0", "Too many errors, closing");
    return step;
}

Step ServerSession::step(const Line& line, Behind behind) {
    if (line.kind == Line::Kind::bare_line_end) {
        return counted(answer(500, "5.5.2", "Lines end with CR LF, both and together"));
    }
    if (line.kind == Line::Kind::too_long) {
        return counted(answer(500, "5.5.2", "The line is too long"));
    }
    const Command command = split_command(line.text);
    const bool first = !std::exchange(spoken_, true);
    if (command.verb == Verb::foreign && first) {
        return closing(421, "4.7.0", "This is an SMTP server, closing");
    }
    if (has_control(line.text)) {
        return counted(answer(501, "5.5.2", "The line holds a control character"));
    }
    if (is_idle(command.verb) && ++idle_commands_ > idle_commands_max) {
        return closing(421, "4.7.0", "Too many commands without a message, closing");
    }
    return execute(command, behind);
}

Step ServerSession::execute(const Command& command, Behind behind) {
    const std::string_view argument = command.argument;
    switch (command.verb) {
        case Verb::helo:
        case Verb::ehlo:
            return counted(hello(command, behind));
        case Verb::mail:
            return counted(mail(argument));
        case Verb::rcpt:
            return rcpt(argument);
        case Verb::data:
            return counted(data(argument, behind));
        case Verb::bdat:
            return bdat(argument);
        case Verb::starttls:
            return counted(start_tls(argument, behind));
        case Verb::xforward:
            return counted(xforward(argument));
        case Verb::rset:
            if (!argument.empty()) return counted(syntax("Syntax: RSET"));
            reset();
            return answer(250, "2.0.0", "Ok");
        case Verb::noop:
            return answer(250, "2.0.0", "Ok");
        case Verb::quit:
            if (!argument.empty()) return counted(syntax("Syntax: QUIT"));
            return closing(221, "2.0.0", "Bye");
        case Verb::vrfy:
            if (argument.empty()) return counted(syntax("Syntax: VRFY address"));
            return answer(252, "2.5.0", "Cannot verify, but will take mail for it and try");
        case Verb::help:
            return answer(214, "2.0.0", "See RFC 5321");
        case Verb::expn:
            return counted(answer(502, "5.5.1", "EXPN is not available"));
        case Verb::auth:
            return counted(answer(502, "5.5.1", "AUTH is not available"));
        case Verb::foreign:
        case Verb::unknown:
            return counted(answer(500, "5.5.2", "The command is not known"));
    }
    std::unreachable();
}

Step ServerSession::hello(const Command& command, Behind behind) {
    if (!is_greeting_name(command.argument)) {
        return syntax("Syntax: EHLO or HELO and the name of your host");
    }
    if (behind == Behind::more) return not_synchronised();
    reset();
    helo_ = command.argument;
    dialect_ = command.verb == Verb::ehlo ? Dialect::extended : Dialect::basic;
    if (dialect_ == Dialect::extended) return Step{Next::command, capabilities()};
    return answer(250, "", options_.hostname);
}

Step ServerSession::mail(std::string_view argument) {
    if (helo_.empty()) return out_of_order("Say EHLO first");
    if (transaction_) return out_of_order("MAIL was given already; RSET starts anew");
    auto arguments = parse_mail(argument, dialect_);
    if (!arguments) return Step{Next::command, std::move(arguments.error())};
    if (arguments->size.value_or(0) > options_.size_max) {
        return answer(552, "5.3.4", "The message is larger than this server takes");
    }
    if (auto refusal = policy_.mail(*arguments)) {
        const Next next = refusal->code == 421 ? Next::close : Next::command;
        return Step{next, *std::move(refusal)};
    }
    transaction_.emplace(ServerTransaction{*std::move(arguments), {}});
    return answer(250, "2.1.0", "Ok");
}

Step ServerSession::rcpt(std::string_view argument) {
    const auto checked = [this](Step step) {
        return options_.trusted ? std::move(step) : counted(std::move(step));
    };
    if (!transaction_) {
        return counted(out_of_order(helo_.empty() ? "Say EHLO first" : "MAIL comes first"));
    }
    if (chunking_) return counted(out_of_order("The message has begun"));
    auto arguments = parse_rcpt(argument, dialect_, transaction_->mail.smtputf8);
    if (!arguments) return checked(Step{Next::command, std::move(arguments.error())});
    if (transaction_->recipients.size() >= options_.recipients_max) {
        if (++overshoot_ > overshoot_max) return closing(421, "4.7.0", "Too many recipients");
        return answer(452, "4.5.3", "Too many recipients; send the rest in another transaction");
    }
    if (auto refusal = policy_.rcpt(*arguments)) {
        return checked(Step{Next::command, *std::move(refusal)});
    }
    transaction_->recipients.push_back(*std::move(arguments));
    return answer(250, "2.1.5", "Ok");
}

Step ServerSession::data(std::string_view argument, Behind behind) {
    if (!argument.empty()) return syntax("Syntax: DATA");
    if (!transaction_) return out_of_order("MAIL comes first");
    if (chunking_) return out_of_order("BDAT was used; DATA cannot follow it");
    if (transaction_->recipients.empty()) return answer(554, "5.5.1", "No valid recipients");
    if (behind == Behind::more) return not_synchronised();
    return Step{Next::data, reply(354, "", "End the message with a dot on a line of its own")};
}

Step ServerSession::bdat(std::string_view argument) {
    auto arguments = parse_bdat(argument);
    // How many octets follow is not known: whatever comes now cannot be told from commands.
    if (!arguments) return Step{Next::close, std::move(arguments.error())};
    Step step{Next::chunk, std::nullopt, arguments->size, false};
    chunk_refusal_.reset();
    if (!transaction_) {
        chunk_refusal_ = reply(503, "5.5.1", "MAIL comes first");
    } else if (transaction_->recipients.empty()) {
        chunk_refusal_ = reply(554, "5.5.1", "No valid recipients");
    } else {
        step.keep = true;
        chunking_ = true;
        last_chunk_ = arguments->last;
    }
    // As much again as a message may have is read and forgotten, more is not.
    if (arguments->size > options_.size_max * 2) {
        reset();
        return closing(552, "5.3.4", "The chunk is larger than this server takes");
    }
    return step;
}

Step ServerSession::chunk_done(Fit fit) {
    if (chunk_refusal_) {
        return counted(Step{Next::command, *std::exchange(chunk_refusal_, std::nullopt)});
    }
    if (fit == Fit::too_large) {
        reset();
        return counted(answer(552, "5.3.4", "The message is larger than this server takes"));
    }
    if (last_chunk_) return Step{Next::store, std::nullopt};
    return answer(250, "2.0.0", "Chunk received");
}

Step ServerSession::finish(Reply verdict) {
    reset();
    if (verdict.positive()) {
        errors_ = 0;
        idle_commands_ = 0;
    }
    const Next next = verdict.code == 421 ? Next::close : Next::command;
    return counted(Step{next, std::move(verdict)});
}

Step ServerSession::start_tls(std::string_view argument, Behind behind) {
    if (!argument.empty()) return syntax("Syntax: STARTTLS");
    if (secure_) return out_of_order("TLS is in use already");
    if (!options_.starttls) return answer(502, "5.5.1", "STARTTLS is not available");
    if (behind == Behind::more) return not_synchronised();
    return Step{Next::start_tls, reply(220, "2.0.0", "Ready to start TLS")};
}

Step ServerSession::xforward(std::string_view argument) {
    if (!options_.xforward) return answer(550, "5.7.0", "XFORWARD is not allowed here");
    if (transaction_) return out_of_order("XFORWARD comes before MAIL");
    auto forwarded = parse_xforward(argument, forwarded_);
    if (!forwarded) return Step{Next::command, std::move(forwarded.error())};
    forwarded_ = *std::move(forwarded);
    return answer(250, "2.0.0", "Ok");
}

}  // namespace millrace::smtp
