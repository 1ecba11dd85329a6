#include "relay/prepare/long_lines.hpp"

#include <vector>

#include "common/mail/header_block.hpp"
#include "common/policy/body_scan.hpp"
#include "common/policy/edit_block.hpp"
#include "common/policy/value_scan.hpp"
#include "relay/prepare/parts.hpp"
#include "relay/prepare/transfer_encoding.hpp"

namespace millrace::relay {

namespace {

using policy::Edit;
using policy::line_max;

std::size_t longest_line(std::string_view text) {
    return policy::scan_body(text, mail::LineEnd::crlf).longest_line;
}

// Parts of type message/* admit no encoding (RFC 2046 §5.2), and under an encoding we do not know
// nothing can be wrapped.
bool may_encode(const Part& part) {
    const std::string& e = part.encoding;
    const bool known =
        e == "7bit" || e == "8bit" || e == "binary" || e == "base64" || e == "quoted-printable";
    return known && part.type != "message" && part.type != "multipart";
}

// A leaf's bytes anew, from its header to its end.
std::string reencoded(std::string_view message, const Part& part) {
    const std::string_view body = message.substr(part.body.offset, part.body.size);
    const std::size_t start = part.header.offset;
    const std::size_t end = part.body.offset + part.body.size;
    std::string content;
    if (part.encoding == "quoted-printable") {
        content = rewrap_quoted_printable(body);
    } else if (part.encoding == "base64") {
        content = rewrap_base64(body);
    } else {
        content = part.type == "text" ? quoted_printable(body) : base64(body);
    }
    // The line end before a delimiter is the delimiter's own.
    if (!body.ends_with("\r\n") && content.ends_with("\r\n")) content.resize(content.size() - 2);
    if (part.encoding == "base64" || part.encoding == "quoted-printable") {
        return std::string(message.substr(start, part.body.offset - start)) + content;
    }
    const std::string_view whole = message.substr(start, end - start);
    const mail::HeaderBlock block = mail::parse_header_block(whole, mail::LineEnd::crlf);
    const std::string field = "Content-Transfer-Encoding";
    const std::string encoding = part.type == "text" ? " quoted-printable" : " base64";
    std::vector<Edit> edits;
    const auto count = static_cast<unsigned>(mail::count_fields(block.fields, field));
    if (count == 0) {
        edits.push_back({Edit::Kind::append, field, encoding, 0});
    } else {
        edits.push_back({Edit::Kind::replace, field, encoding, 1});
    }
    for (unsigned nth = count; nth > 1; --nth) {
        edits.push_back({Edit::Kind::remove, field, {}, nth});
    }
    // Without MIME-Version a reader need not look at the encoding (RFC 2045 §4); parts need none.
    if (part.message && mail::count_fields(block.fields, "MIME-Version") == 0) {
        edits.push_back({Edit::Kind::append, "MIME-Version", " 1.0", 0});
    }
    std::string out =
        policy::edit_block(whole.substr(0, block.body_offset), block, edits, mail::LineEnd::crlf);
    if (!block.separator) out += "\r\n";
    out += content;
    return out;
}

}  // namespace

Reencoded reencode_long_lines(std::string_view message) {
    std::string out;
    std::size_t done = 0;
    for (const Part& part : leaves_of(message)) {
        const std::string_view body = message.substr(part.body.offset, part.body.size);
        if (longest_line(body) <= line_max) continue;
        if (part.sealed) {
            return {std::nullopt, "body line too long in signed or encrypted content"};
        }
        if (!may_encode(part)) {
            return {std::nullopt, "body line too long in content that cannot be encoded"};
        }
        out += message.substr(done, part.header.offset - done);
        out += reencoded(message, part);
        done = part.body.offset + part.body.size;
    }
    out += message.substr(done);
    const mail::HeaderBlock result = mail::parse_header_block(out, mail::LineEnd::crlf);
    if (longest_line(std::string_view(out).substr(result.body_offset)) > line_max) {
        return {std::nullopt, "body line too long outside the parts"};
    }
    return {std::move(out), {}};
}

}  // namespace millrace::relay
