#include "milter/message_log.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "common/mail/charset.hpp"

namespace millrace::milter {
namespace {

std::string codes_of(const Report& report) {
    std::string out;
    for (const policy::Defect& defect : report.defects) {
        out += (out.empty() ? "" : ",") + defect.code;
    }
    return out.empty() ? "-" : out;
}

std::int64_t microseconds(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

/// A JSON string (RFC 8259 §7). Bytes that are no UTF-8 become U+FFFD.
std::string quoted(std::string_view bytes) {
    std::string out = "\"";
    for (const char c : mail::replace_invalid_utf8(bytes)) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (u < 0x20) {
            out += fmt::format("\\u{:04x}", u);
        } else {
            out += c;
        }
    }
    return out += '"';
}

template <class Items, class Write>
std::string list_of(const Items& items, Write write) {
    std::string out;
    for (const auto& item : items) {
        out += (out.empty() ? "" : ",") + write(item);
    }
    return out;
}

std::string_view word(policy::Edit::Kind kind) {
    switch (kind) {
        case policy::Edit::Kind::replace:
            return "replace";
        case policy::Edit::Kind::remove:
            return "remove";
        case policy::Edit::Kind::append:
        case policy::Edit::Kind::insert_top:
            break;
    }
    return "add";
}

}  // namespace

MessageLog::MessageLog(Log& log) : log_(log) {}

MessageLog::~MessageLog() {
    if (file_ >= 0) {
        ::close(file_);
    }
}

void MessageLog::open(const std::string& file) {
    int fresh = -1;
    if (!file.empty()) {
        fresh = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fresh < 0) {
            log_.error("gate.log_failed", {{"file", file}, {"reason", std::strerror(errno)}});
        }
    }
    const std::lock_guard lock(mutex_);
    if (file_ >= 0) {
        ::close(file_);
    }
    file_ = fresh;
}

void MessageLog::write(const Report& report, Time at, Duration took) {
    log_.info("gate.message",
              {{"queue_id", report.queue_id},
               {"verdict", report.verdict},
               {"tag", report.tag},
               {"origin", report.origin},
               {"account", report.account.empty() ? "-" : report.account},
               {"defects", codes_of(report)},
               {"edits", report.edits},
               {"reply", report.reply.empty() ? "-" : report.reply},
               {"us", microseconds(took)}});
    const std::lock_guard lock(mutex_);
    if (file_ >= 0) {
        const std::string line = to_json_line(report, at, took);
        // A full disk must not stop mail; the line above is in the system's log.
        [[maybe_unused]] const auto written = ::write(file_, line.data(), line.size());
    }
}

std::string to_json_line(const Report& report, Time at, Duration took) {
    const std::string defects = list_of(report.defects, [](const policy::Defect& defect) {
        return fmt::format(
            "{{\"code\":{},\"detail\":{}}}", quoted(defect.code), quoted(defect.detail));
    });
    const std::string changes = list_of(report.changes, [](const policy::Edit& edit) {
        return fmt::format(
            "{{\"field\":{},\"change\":\"{}\"}}", quoted(edit.name), word(edit.kind));
    });
    const std::string from = list_of(report.from, quoted);
    const std::string to = list_of(report.to, [](const auto& destination) {
        return fmt::format("{}:{}", quoted(destination.first), destination.second);
    });
    return fmt::format(
        "{{\"timestamp\":\"{}\",\"event\":\"message\",\"mta_queue_id\":{},\"message_id\":{},"
        "\"verdict\":{},\"tag\":{},\"origin\":{},\"client\":{},\"account\":{},\"sender\":{},"
        "\"from\":[{}],\"recipients\":{},\"to\":{{{}}},\"defects\":[{}],\"edits\":{},"
        "\"changes\":[{}],\"reply\":{},\"us\":{}}}\n",
        to_rfc3339(at),
        quoted(report.queue_id),
        quoted(report.message_id),
        quoted(report.verdict),
        quoted(report.tag),
        quoted(report.origin),
        quoted(report.client),
        quoted(report.account),
        quoted(report.sender),
        from,
        report.recipients,
        to,
        defects,
        report.edits,
        changes,
        quoted(report.reply),
        microseconds(took));
}

}  // namespace millrace::milter
