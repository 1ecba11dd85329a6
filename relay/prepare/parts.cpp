#include "relay/prepare/parts.hpp"

#include "common/mail/domain.hpp"
#include "common/mail/media_type.hpp"

namespace millrace::relay {

namespace {

constexpr std::string_view line_end = "\r\n";

// The encodings that leave the content as it is (RFC 2045 §6.2).
bool is_identity(std::string_view encoding) {
    return encoding == "7bit" || encoding == "8bit" || encoding == "binary";
}

// Whether a line is `--boundary` or `--boundary--`, blanks behind it allowed (RFC 2046 §5.1.1).
enum class Delimiter { none, part, close };
Delimiter delimiter_of(std::string_view line, std::string_view boundary) {
    if (!line.starts_with("--") || !line.substr(2).starts_with(boundary)) return Delimiter::none;
    std::string_view rest = line.substr(2 + boundary.size());
    const bool close = rest.starts_with("--");
    if (close) rest.remove_prefix(2);
    if (!mail::trim(rest).empty()) return Delimiter::none;
    return close ? Delimiter::close : Delimiter::part;
}

class Walker {
  public:
    explicit Walker(std::string_view message) : message_(message) {}

    void walk(mail::Extent extent, bool message, bool sealed, unsigned depth) {
        const std::string_view bytes = message_.substr(extent.offset, extent.size);
        const mail::HeaderBlock block = mail::parse_header_block(bytes, mail::LineEnd::crlf);
        Part part;
        part.header = {extent.offset, block.fields_end};
        part.body = {extent.offset + block.body_offset, extent.size - block.body_offset};
        part.message = message;
        const bool signed_here = message && mail::count_fields(block.fields, "DKIM-Signature") > 0;
        part.sealed = sealed || signed_here;
        part.type = "text";
        part.encoding = "7bit";
        mail::MediaType media;
        if (const auto* field = mail::find_field(block.fields, "Content-Type")) {
            media = mail::parse_media_type(field->value).value_or(mail::MediaType{});
            if (!media.type.empty()) part.type = media.type;
        }
        if (const auto* field = mail::find_field(block.fields, "Content-Transfer-Encoding")) {
            part.encoding = mail::lower(mail::trim(field->value));
        }
        const bool deeper = depth < part_depth_max && is_identity(part.encoding);
        const std::string_view boundary = media.parameter("boundary");
        if (part.type == "multipart" && !boundary.empty() && deeper) {
            const bool closed = media.subtype == "signed" || media.subtype == "encrypted";
            split(part.body, boundary, part.sealed || closed, depth);
        } else if (part.type == "message" && media.subtype == "rfc822" && deeper) {
            walk(part.body, true, part.sealed, depth + 1);
        } else {
            leaves_.push_back(std::move(part));
        }
    }

    std::vector<Part> take() { return std::move(leaves_); }

  private:
    void split(mail::Extent body, std::string_view boundary, bool sealed, unsigned depth) {
        const std::size_t end = body.offset + body.size;
        std::size_t start = message_.npos;  // of the part we are in
        for (std::size_t at = body.offset; at < end;) {
            const std::size_t found = message_.find(line_end, at);
            const std::size_t line_stop = found == message_.npos ? end : std::min(found, end);
            const std::size_t next = std::min(line_stop + line_end.size(), end);
            const Delimiter delimiter = delimiter_of(message_.substr(at, line_stop - at), boundary);
            if (delimiter != Delimiter::none) {
                if (start != message_.npos) {
                    // The line end before a delimiter belongs to the delimiter.
                    const std::size_t stop = at >= start + line_end.size() ? at - 2 : start;
                    walk({start, stop - start}, false, sealed, depth + 1);
                }
                start = delimiter == Delimiter::part ? next : message_.npos;
                if (delimiter == Delimiter::close) return;
            }
            at = next;
        }
        if (start != message_.npos) walk({start, end - start}, false, sealed, depth + 1);
    }

    std::string_view message_;
    std::vector<Part> leaves_;
};

}  // namespace

std::vector<Part> leaves_of(std::string_view message) {
    Walker walker(message);
    walker.walk({0, message.size()}, true, false, 0);
    return walker.take();
}

}  // namespace millrace::relay
