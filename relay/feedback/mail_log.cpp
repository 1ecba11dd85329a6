#include "relay/feedback/mail_log.hpp"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>

namespace millrace::relay {
namespace {

constexpr std::size_t text_max = 900;  // a datagram of the system's log has 1024 bytes at most
                                       // (RFC 3164 §4.1)

/// Postfix puts `?` for what could end or colour a line.
std::string tame(std::string_view text) {
    std::string out(text.substr(0, text_max));
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    }
    return out;
}

/// `mx.example.com [192.0.2.1]:2600` as Postfix writes it; the port is there unless it is 25.
std::string joined(std::string_view host) {
    std::string out(host);
    if (auto const gap = out.find(" ["); gap != std::string::npos) out.erase(gap, 1);
    return tame(out);
}

std::string without_port(const std::string& host) {
    auto const end = host.rfind(']');
    return end == std::string::npos ? host : host.substr(0, end + 1);
}

std::string with_port(const std::string& host) {
    return host.ends_with(']') ? host + ":25" : host;
}

/// Seconds with two digits of which none is noise, never with an exponent.
std::string seconds(Duration d) {
    auto const s = std::max(0.0, std::chrono::duration<double>(d).count());
    if (s < 0.005) return "0";
    return s >= 10  ? fmt::format("{:.0f}", s)
           : s >= 1 ? fmt::format("{:.1f}", s)
                    : fmt::format("{:.2f}", s);
}

/// delay since we took it over, and its parts: before us, in the queue, connecting (which the
/// messages of a connection share: nobody's), sending.
std::string delays(const Event& e) {
    auto const received = std::min(e.message.made_at(), e.at);
    auto const born = e.born == Time{} ? received : std::min(e.born, received);
    auto const took = std::min(e.took, e.at - received);
    return fmt::format("delay={}, delays={}/{}/0/{}",
                       seconds(e.at - born),
                       seconds(received - born),
                       seconds(e.at - received - took),
                       seconds(took));
}

std::string reason(const Event& e, bool refused) {
    auto const code = e.smtp_code == 0 ? std::string() : std::to_string(e.smtp_code);
    auto text = e.reason;
    if (!code.empty() && !text.starts_with(code)) {
        text = code + (e.enhanced_status.empty() ? "" : " " + e.enhanced_status) +
               (text.empty() ? "" : " " + text);
    }
    if (refused && !code.empty() && !e.remote_mta.empty()) {
        text = "host " + without_port(joined(e.remote_mta)) + " said: " + text;
    }
    if (e.possible_duplicate) text += " -- message may be sent more than once";
    return tame(text);
}

MailLogLine attempt(const Event& e, std::string_view program, std::string_view status) {
    auto const klass = status == "sent" || status == "removed" ? '2'
                       : status == "deferred"                  ? '4'
                                                               : '5';
    auto text = fmt::format("{}: to=<{}>, relay={}",
                            e.message.text(),
                            tame(e.recipient),
                            e.remote_mta.empty() ? "none" : with_port(joined(e.remote_mta)));
    if (!e.mta_queue_id.empty()) {
        // pflogsumm and logwatch let anything stand in this place, and in no other.
        text += fmt::format(
            ", conn_use={} orig_queue_id={}", e.connection_use, tame(e.mta_queue_id));
    } else if (e.connection_use > 1) {
        text += fmt::format(", conn_use={}", e.connection_use);
    }
    text += fmt::format(
        ", {}, dsn={}, status={} ({})",
        delays(e),
        e.enhanced_status.empty() ? fmt::format("{}.0.0", klass) : tame(e.enhanced_status),
        status,
        reason(e, klass != '2'));
    return {program, std::move(text)};
}

void received(const Event& e, std::vector<MailLogLine>& out) {
    if (e.recipient_index != 0) return;
    auto const id = e.message.text();
    if (!e.client.empty()) {  // our own notices come from nobody
        auto text = fmt::format("{}: client={}", id, joined(e.client));
        if (!e.mta_queue_id.empty()) text += ", orig_queue_id=" + tame(e.mta_queue_id);
        out.push_back({"millrace/smtpd", std::move(text)});
    }
    out.push_back(
        {"millrace/cleanup", fmt::format("{}: message-id={}", id, tame(e.message_id))});
    out.push_back({"millrace/qmgr",
                   fmt::format("{}: from=<{}>, size={}, nrcpt={} (queue active)",
                               id,
                               tame(e.sender),
                               e.size,
                               std::max<unsigned>(e.recipients, 1))});
}

}  // namespace

std::vector<MailLogLine> mail_log_lines(const Event& e) {
    std::vector<MailLogLine> out;
    switch (e.kind) {
        case EventKind::received:
            received(e, out);
            break;
        case EventKind::delivered:
            out.push_back(attempt(e, "millrace/smtp", "sent"));
            break;
        case EventKind::deferred:
            out.push_back(attempt(e, "millrace/smtp", "deferred"));
            break;
        case EventKind::expired:
            // Without an attempt it is the queue that says why, as Postfix's error(8) does.
            out.push_back(attempt(e, e.attempt == 0 ? "millrace/error" : "millrace/smtp", "deferred"));
            out.push_back({"millrace/qmgr",
                           fmt::format("{}: from=<{}>, status=expired, returned to sender",
                                       e.message.text(),
                                       tame(e.sender))});
            break;
        case EventKind::bounced:
        case EventKind::suppressed:
            // A bounce that came back as a message is no attempt of ours.
            if (!e.late) out.push_back(attempt(e, "millrace/smtp", "bounced"));
            break;
        case EventKind::removed:
            out.push_back(attempt(e, "millrace/postsuper", "removed"));
            break;
        case EventKind::complained:
            break;
    }
    if (e.last) out.push_back({"millrace/qmgr", e.message.text() + ": removed"});
    return out;
}

std::string mail_log_stamp(Time at) {
    auto const when = static_cast<std::time_t>(unix_seconds(at));
    std::tm local{};
    ::localtime_r(&when, &local);
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    return fmt::format("{} {:2} {:02}:{:02}:{:02}",
                       months.substr(3 * static_cast<std::size_t>(local.tm_mon), 3),
                       local.tm_mday,
                       local.tm_hour,
                       local.tm_min,
                       local.tm_sec);
}

std::string mail_log_text(std::span<const Event> events, std::string_view host, long pid) {
    std::string text;
    for (auto const& event : events) {
        for (auto const& line : mail_log_lines(event)) {
            text += fmt::format(
                "{} {} {}[{}]: {}\n", mail_log_stamp(event.at), host, line.program, pid, line.text);
        }
    }
    return text;
}

std::vector<std::string> mail_log_datagrams(std::span<const Event> events, long pid) {
    constexpr int mail_info = (2 << 3) | 6;  // RFC 3164 §4.1.1
    std::vector<std::string> all;
    for (auto const& event : events) {
        for (auto const& line : mail_log_lines(event)) {
            all.push_back(fmt::format("<{}>{} {}[{}]: {}",
                                      mail_info,
                                      mail_log_stamp(event.at),
                                      line.program,
                                      pid,
                                      line.text));
        }
    }
    return all;
}

}  // namespace millrace::relay
