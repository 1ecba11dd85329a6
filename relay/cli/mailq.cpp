#include "relay/cli/mailq.hpp"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/json_view.hpp"
#include "relay/cli/terminal.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view header =
    "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n";

std::string reason_of(const boost::json::object& recipient) {
    auto const reply = text_of(recipient, "last_reply");
    auto host = text_of(recipient, "last_host");
    if (reply.empty() || host.empty() || reply.find_first_of("245") != 0) {
        return harmless(reply);
    }
    if (auto const gap = host.find(" ["); gap != std::string::npos) {
        host.erase(gap, 1);
    }
    if (auto const end = host.rfind(']'); end != std::string::npos) {
        host.erase(end + 1);  // the port
    }
    return harmless("host " + host + " said: " + reply);
}

/// As Postfix's queues: hold, active (due: being tried, or next), deferred.
std::string_view queue_of(const std::vector<boost::json::object>& recipients, Time now) {
    if (std::ranges::all_of(recipients, [](auto const& r) { return flag_of(r, "held"); })) {
        return "hold";
    }
    bool const due = std::ranges::any_of(recipients, [now](auto const& r) {
        return !flag_of(r, "held") && time_of(r, "due").value_or(now) <= now;
    });
    return due ? "active" : "deferred";
}

/// `Tue Nov 24 14:23:31`, in the time zone of the machine.
std::string arrival(const boost::json::object& recipient) {
    auto const when =
        static_cast<std::time_t>(unix_seconds(time_of(recipient, "received").value_or(Time{})));
    std::tm local{};
    ::localtime_r(&when, &local);
    char text[32];
    auto const size = std::strftime(text, sizeof text, "%a %b %e %H:%M:%S", &local);
    return {text, size};
}

std::string sender_of(const boost::json::object& recipient) {
    auto const sender = text_of(recipient, "sender");
    return sender.empty() ? "MAILER-DAEMON" : sender;
}

}  // namespace

std::string Mailq::add(const boost::json::object& recipient) {
    std::string text;
    if (!message_.empty() && text_of(message_.front(), "id") != text_of(recipient, "id")) {
        text = close_message();
    }
    message_.push_back(recipient);
    return text;
}

std::string Mailq::end() {
    auto text = message_.empty() ? std::string() : close_message();
    if (form_ == Form::json) {
        return text;
    }
    return messages_ == 0 ? "Mail queue is empty\n"
                          : text + fmt::format("-- {} Kbytes in {} Request{}.\n",
                                               bytes_ / 1024,
                                               messages_,
                                               messages_ == 1 ? "" : "s");
}

std::string Mailq::close_message() {
    auto text = form_ == Form::json
                    ? message_as_json()
                    : std::string(messages_ == 0 ? header : "") + message_for_people();
    ++messages_;
    bytes_ += number_of(message_.front(), "size");
    message_.clear();
    return text;
}

std::string Mailq::message_for_people() const {
    auto const& first = message_.front();
    auto const queue = queue_of(message_, now_);
    auto const mark = queue == "hold" ? "!" : queue == "active" ? "*" : "";
    auto text = fmt::format("{:<17} {:>8} {:>19.19} {}\n",
                            harmless(text_of(first, "id")) + mark,
                            number_of(first, "size"),
                            arrival(first),
                            harmless(sender_of(first)));
    std::string said;
    for (auto const& recipient : message_) {
        if (auto const reason = reason_of(recipient); reason != said && !reason.empty()) {
            // At the right edge of 78 columns, as Postfix.
            auto const width = columns(reason);
            text += std::string(width < 76 ? 76 - width : 0, ' ') + "(" + reason + ")\n";
            said = reason;
        }
        text += fmt::format("{:47}{}\n", "", harmless(text_of(recipient, "recipient")));
    }
    return text + "\n";
}

std::string Mailq::message_as_json() const {
    auto const& first = message_.front();
    boost::json::object o;
    o["queue_name"] = queue_of(message_, now_);
    o["queue_id"] = text_of(first, "id");
    o["arrival_time"] = unix_seconds(time_of(first, "received").value_or(Time{}));
    o["message_size"] = number_of(first, "size");
    o["forced_expire"] = false;
    o["sender"] = sender_of(first);
    boost::json::array recipients;
    for (auto const& recipient : message_) {
        boost::json::object row{{"address", text_of(recipient, "recipient")}};
        if (auto const reason = reason_of(recipient); !reason.empty()) {
            row["delay_reason"] = reason;
        }
        recipients.emplace_back(std::move(row));
    }
    o["recipients"] = std::move(recipients);
    return boost::json::serialize(o) + "\n";
}

}  // namespace millrace::relay
