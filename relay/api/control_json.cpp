#include "relay/api/control_json.hpp"

#include <boost/json.hpp>

#include "common/mail/charset.hpp"

namespace millrace::relay {
namespace {

namespace json = boost::json;

json::object value_of(const DestinationStatus& d) {
    json::object o;
    o["destination"] = d.destination;
    put(o, "site", d.site);
    o["state"] = to_string(d.state);
    o["queued"] = d.queued;
    o["held"] = d.held;
    o["connections"] = d.connections;
    put(o, "oldest", d.oldest);
    put(o, "next_due", d.next_due);
    put(o, "until", d.until);
    put(o, "why", d.why);
    put(o, "last_reply", mail::replace_invalid_utf8(d.last_reply));
    put(o, "last_host", d.last_host);
    put(o, "last_reply_at", d.last_reply_at);
    put(o, "last_refused", mail::replace_invalid_utf8(d.last_refused));
    put(o, "last_refused_at", d.last_refused_at);
    return o;
}

json::object value_of(const Work& w) {
    json::object o;
    o["recipient"] = w.recipient;
    o["destination"] = w.destination;
    o["held"] = w.held;
    o["attempts"] = w.attempts;
    put(o, "due", w.due);
    put(o, "born", w.born);
    put(o, "last_reply", w.last_reply);
    put(o, "last_host", w.last_host);
    o["class"] = w.klass == Class::bulk ? "bulk" : "transactional";
    put(o, "account", w.account);
    return o;
}

json::object value_of(const Order& order) {
    json::object o;
    o["order"] = to_string(order.verb);
    o["target"] = order.target.text();
    put(o, "since", order.since);
    put(o, "until", order.until);
    put(o, "by", order.by);
    put(o, "reason", order.reason);
    return o;
}

/// The event as the journal writes it.
json::value value_of(const Event& event) {
    boost::system::error_code error;
    auto value = json::parse(to_json(event), error);
    return error ? json::value() : value;
}

std::string line(std::string_view kind, json::value value) {
    json::object o;
    o[kind] = std::move(value);
    return json::serialize(o);
}

std::string_view code_of(Fault fault) {
    switch (fault) {
        case Fault::invalid:
            return "invalid";
        case Fault::not_found:
            return "not_found";
        case Fault::broken:
            return "broken";
        default:
            return "unavailable";
    }
}

void put_envelope(json::object& o, const Envelope& e) {
    o["sender"] = e.sender;
    o["size"] = e.size;
    put(o, "received", e.received);
    put(o, "born", e.born);
    put(o, "client", e.client);
    put(o, "account", e.account);
    put(o, "tag", e.tag);
    o["class"] = e.klass == Class::bulk ? "bulk" : "transactional";
    put(o, "mta_queue_id", e.mta_queue_id);
    put(o, "message_id", e.message_id);
    put(o, "envid", e.envid);
}

std::string notify_of(const Notify& n) {
    if (n.never) {
        return "NEVER";
    }
    std::string text;
    for (auto const& [wanted, word] : {std::pair(n.success, "SUCCESS"),
                                       std::pair(n.failure, "FAILURE"),
                                       std::pair(n.delay, "DELAY")}) {
        text += wanted ? (text.empty() ? "" : ",") + std::string(word) : "";
    }
    return text;
}

/// A recipient as it stands: what waits says its work, what is finished its last event.
json::object recipient_of(const MessageReport& report, std::uint16_t index) {
    auto const& recipient = report.mail->envelope.recipients[index];
    json::object o;
    o["index"] = index;
    o["address"] = recipient.address;
    put(o, "orcpt", recipient.orcpt);
    if (recipient.notify.given) {
        o["notify"] = notify_of(recipient.notify);
    }
    for (auto const& work : report.mail->works) {
        if (work.key.index == index) {
            o["state"] = work.held ? "held" : "waiting";
            o["attempts"] = work.attempts;
            put(o, "due", work.due);
            put(o, "last_reply", work.last_reply);
            put(o, "last_host", work.last_host);
            return o;
        }
    }
    o["state"] = "finished";
    for (auto event = report.history.rbegin(); event != report.history.rend(); ++event) {
        if (event->recipient_index == index) {
            o["state"] = to_string(event->kind);
            o["attempts"] = event->attempt;
            put(o, "finished", event->at);
            put(o, "last_reply", event->reason);
            put(o, "last_host", event->remote_mta);
            break;
        }
    }
    return o;
}

}  // namespace

void put(json::object& object, std::string_view key, std::string_view value) {
    if (!value.empty()) {
        object[key] = value;
    }
}

void put(json::object& object, std::string_view key, Time value) {
    if (value != never && value != Time{}) {
        object[key] = to_rfc3339(value);
    }
}

std::string_view to_string(DestinationStatus::State state) {
    switch (state) {
        case DestinationStatus::State::idle:
            return "idle";
        case DestinationStatus::State::sending:
            return "sending";
        case DestinationStatus::State::waiting:
            return "waiting";
        case DestinationStatus::State::paused:
            return "paused";
        case DestinationStatus::State::held:
            return "held";
    }
    return {};
}

std::string control_item(const DestinationStatus& destination) {
    return line("item", value_of(destination));
}

std::string control_item(const Standing::Queue& queue) {
    return line("item", to_json(queue));
}

std::string control_item(const Standing::Learned& learned) {
    return line("item", to_json(learned));
}

std::string control_end(const Standing& standing) {
    return line("end", end_of(standing));
}

std::string control_item(const QueuedRecipient& recipient) {
    auto o = value_of(recipient.work);
    o["id"] = recipient.work.key.message.text();
    o["index"] = recipient.work.key.index;
    o["sender"] = recipient.sender;
    o["size"] = recipient.size;
    put(o, "received", recipient.received);
    put(o, "mta_queue_id", recipient.mta_queue_id);
    put(o, "message_id", recipient.message_id);
    return line("item", std::move(o));
}

std::string control_item(const MessageReport& report) {
    json::object o;
    o["id"] = report.id.text();
    json::array waiting;
    if (report.mail) {
        put_envelope(o, report.mail->envelope);
        o["recipients"] = report.mail->envelope.recipients.size();
        for (auto const& work : report.mail->works) {
            auto row = value_of(work);
            row["index"] = work.key.index;
            for (auto const& [index, why] : report.why) {
                if (index == work.key.index) {
                    put(row, "why", why);
                }
            }
            waiting.push_back(std::move(row));
        }
    }
    o["waiting"] = std::move(waiting);
    json::array history;
    for (auto const& event : report.history) {
        history.push_back(value_of(event));
    }
    o["history"] = std::move(history);
    return line("item", std::move(o));
}

std::string control_item(const Event& event) {
    return "{\"item\":" + to_json(event) + "}";
}

std::string control_item(const Order& order) {
    return line("item", value_of(order));
}

std::string control_item(const TraceLine& traced) {
    json::object o;
    put(o, "at", traced.at);
    o["conversation"] = traced.conversation;
    o["kind"] = to_string(traced.kind);
    o["text"] = mail::replace_invalid_utf8(traced.text);
    put(o, "site", traced.site);
    put(o, "host", traced.host);
    put(o, "source", traced.source);
    put(o, "destination", traced.load.destination);
    put(o, "account", traced.load.account);
    put(o, "sender_domain", traced.load.sender_domain);
    if (traced.load.message.value != 0) {
        o["id"] = traced.load.message.text();
    }
    return line("item", std::move(o));
}

std::string control_lost(std::uint64_t lines) {
    return line("item", {{"lost", lines}});
}

std::string control_envelope(const MessageReport& report) {
    json::object o;
    o["id"] = report.id.text();
    auto const& e = report.mail->envelope;
    put_envelope(o, e);
    put(o, "ret", e.ret);
    o["smtputf8"] = e.smtputf8;
    constexpr std::string_view bodies[] = {"7BIT", "8BITMIME", "BINARYMIME"};
    o["body"] = bodies[static_cast<std::size_t>(e.body)];
    json::array recipients;
    for (std::size_t i = 0; i < e.recipients.size(); ++i) {
        recipients.push_back(recipient_of(report, static_cast<std::uint16_t>(i)));
    }
    o["recipients"] = std::move(recipients);
    return line("item", std::move(o));
}

std::string control_piece(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() + bytes.size() / 8);
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            text += c;
        } else {
            text += static_cast<char>(0xC0U | (byte >> 6U));
            text += static_cast<char>(0x80U | (byte & 0x3FU));
        }
    }
    return line("item", {{"bytes", std::move(text)}});
}

std::string control_progress(std::uint64_t recipients) {
    return line("progress", {{"recipients", recipients}});
}

std::string control_end(const Status& s) {
    json::object o;
    o["version"] = s.version;
    o["hostname"] = s.hostname;
    put(o, "started", s.started);
    o["accepting"] = s.accepting;
    put(o, "why_not", s.why_not);
    o["loading"] = s.loading;
    o["queued"] = s.queued;
    o["held"] = s.held;
    put(o, "oldest", s.oldest);
    o["free_bytes"] = s.free_bytes;
    o["sessions"] = s.sessions;
    o["waiting"] = s.waiting;
    o["deliveries"] = s.deliveries;
    o["received"] = s.received;
    o["delivered"] = s.delivered;
    o["deferred"] = s.deferred;
    o["bounced"] = s.bounced;
    o["books"] = json::object{{"received", s.books.received},
                              {"delivered", s.books.delivered},
                              {"bounced", s.books.bounced},
                              {"expired", s.books.expired},
                              {"suppressed", s.books.suppressed},
                              {"removed", s.books.removed}};
    put(o, "audited", s.audited);
    json::array wrong;
    for (auto const& sentence : s.wrong) {
        wrong.emplace_back(sentence);
    }
    o["wrong"] = std::move(wrong);
    json::array troubled;
    for (auto const& destination : s.troubled) {
        troubled.push_back(value_of(destination));
    }
    o["troubled"] = std::move(troubled);
    json::array orders;
    for (auto const& order : s.orders) {
        orders.push_back(value_of(order));
    }
    o["orders"] = std::move(orders);
    json::array warming;
    for (auto const& one : s.warming) {
        json::object row{{"source", one.source}, {"receivers", one.receivers}};
        put(row, "ends", one.ends);
        warming.push_back(std::move(row));
    }
    o["warming"] = std::move(warming);
    json::array problems;
    for (auto const& problem : s.problems) {
        problems.push_back(
            {{"at", to_rfc3339(problem.at)}, {"what", problem.what}, {"detail", problem.detail}});
    }
    o["problems"] = std::move(problems);
    json::array alerts;
    for (auto const& alert : s.alerts) {
        json::object row{{"kind", alert.kind},
                         {"object", alert.object},
                         {"critical", alert.critical},
                         {"text", alert.text}};
        put(row, "since", alert.since);
        alerts.push_back(std::move(row));
    }
    o["alerts"] = std::move(alerts);
    return line("end", std::move(o));
}

std::string control_end_of_trace(std::uint64_t lines) {
    return line("end", {{"lines", lines}});
}

std::string control_end(const Order& order) {
    return line("end", value_of(order));
}

std::string control_end(const Counted& counted) {
    return line("end", {{"recipients", counted.recipients}, {"messages", counted.messages}});
}

std::string control_end(const std::vector<std::string>& restart_needed) {
    json::array settings;
    for (auto const& setting : restart_needed) {
        settings.emplace_back(setting);
    }
    return line("end", {{"restart_needed", std::move(settings)}});
}

std::string control_end() {
    return line("end", json::object());
}

std::string control_error(const Failure& failure) {
    return line("error", {{"code", code_of(failure.fault)}, {"text", failure.detail}});
}

}  // namespace millrace::relay
