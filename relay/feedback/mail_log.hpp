#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/spool/event.hpp"

/// The journal in the words of Postfix's log, so that what people and programs know of it goes on
/// working: pflogsumm, logwatch, a search for a queue id. Pure: same event, same lines.
namespace millrace::relay {

struct MailLogLine {
    std::string_view program;  ///< `millrace/smtp`: as Postfix's program of the same work
    std::string text;          ///< what stands behind `millrace/smtp[123]: `; one line, no control
                               ///< characters
};

/// What one event comes to.
///   received   smtpd `client=`, cleanup `message-id=`, qmgr `from=, size=, nrcpt=`; once a
///   message.
///              The queue id of the server in front is `orig_queue_id=`, as in Postfix.
///   delivered, deferred, bounced, suppressed
///              smtp `to=, relay=, conn_use=, delay=, delays=, dsn=, status=`. Behind conn_use the
///              queue id of the server in front stands again: one search finds the whole way.
///   expired    its last attempt as deferred, and qmgr `status=expired`
///   removed    postsuper `status=removed`
///   complained nothing
/// The last event of a message ends with qmgr `removed`.
std::vector<MailLogLine> mail_log_lines(const Event& event);

/// `Nov 24 14:08:41`, in the time zone of the machine (RFC 3164 §4.1.2), as Postfix writes it.
std::string mail_log_stamp(Time at);

/// The lines of these events as they stand in a file: `Nov 24 14:08:41 HOST millrace/smtp[PID]: …`,
/// each with its line end.
std::string mail_log_text(std::span<const Event> events, std::string_view host, long pid);

/// The same for the system's log: one datagram per line (RFC 3164 §4.1), facility mail, level info,
/// without the host.
std::vector<std::string> mail_log_datagrams(std::span<const Event> events, long pid);

}  // namespace millrace::relay
