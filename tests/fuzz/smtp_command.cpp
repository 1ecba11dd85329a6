// Any bytes as command lines: the same lines whole and in pieces, never more held than allowed, and
// what is read of a path is read the same way again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.hpp"
#include "common/smtp/command.hpp"
#include "common/smtp/line_reader.hpp"
#include "common/smtp/xforward.hpp"
#include "common/smtp/xtext.hpp"

namespace {

using namespace millrace;
using namespace millrace::smtp;

std::vector<Line> lines_of(std::string_view bytes, std::size_t step) {
    LineReader reader;
    std::vector<Line> lines;
    while (!bytes.empty()) {
        std::string_view part = bytes.substr(0, step);
        bytes.remove_prefix(part.size());
        while (auto line = reader.next(part)) {
            MILLRACE_CHECK(line->text.size() <= command_line_max);
            MILLRACE_CHECK(!line->text.contains('\r') && !line->text.contains('\n'));
            lines.push_back(*std::move(line));
        }
        MILLRACE_CHECK(part.empty());
    }
    return lines;
}

bool same(const Line& a, const Line& b) {
    return a.kind == b.kind && a.text == b.text;
}

void judge_refusal(const Reply& reply) {
    MILLRACE_CHECK(reply.permanent() && reply.enhanced.starts_with('5'));
    MILLRACE_CHECK(format(reply).ends_with("\r\n"));
}

void judge_path(const mail::Path& path, mail::PathKind kind, bool utf8) {
    const std::string again = '<' + path.address() + '>';
    const auto read = mail::parse_path(again, kind, utf8);
    MILLRACE_CHECK(read && read->address() == path.address());
}

void judge(std::string_view line) {
    const Command command = split_command(line);
    for (const Dialect dialect : {Dialect::basic, Dialect::extended}) {
        if (const auto mail = parse_mail(command.argument, dialect)) {
            judge_path(mail->path, mail::PathKind::reverse, mail->smtputf8);
            MILLRACE_CHECK(mail->envid.size() <= 100 && is_xtext(mail->envid));
        } else {
            judge_refusal(mail.error());
        }
        for (const bool utf8 : {false, true}) {
            if (const auto rcpt = parse_rcpt(command.argument, dialect, utf8)) {
                judge_path(rcpt->path, mail::PathKind::forward, utf8);
                MILLRACE_CHECK(rcpt->orcpt.size() <= 500);
                MILLRACE_CHECK(!rcpt->notify.never || !rcpt->notify.success);
            } else {
                judge_refusal(rcpt.error());
            }
        }
    }
    if (const auto bdat = parse_bdat(command.argument); !bdat) judge_refusal(bdat.error());
    if (const auto told = parse_xforward(command.argument, {}); !told) judge_refusal(told.error());
    const std::string text = encode_xtext(line);
    const auto back = decode_xtext(text);
    const bool carried = !line.contains('\0') && !line.contains('\r') && !line.contains('\n');
    MILLRACE_CHECK(back.has_value() == carried && (!carried || *back == line));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::vector<Line> lines = lines_of(bytes, bytes.size() + 1);
    MILLRACE_CHECK(std::ranges::equal(lines, lines_of(bytes, data[0] % 16U + 1), same));
    for (const Line& line : lines) {
        if (line.kind == Line::Kind::command) judge(line.text);
    }
    return 0;
}
