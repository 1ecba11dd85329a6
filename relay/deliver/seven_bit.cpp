#include "relay/deliver/seven_bit.hpp"

#include <algorithm>
#include <vector>

#include "common/mail/domain.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/media_type.hpp"
#include "common/mail/transfer_encoding.hpp"

namespace millrace::relay {

namespace {

// Deeper nesting is nobody's mail.
constexpr unsigned depth_max = 32;

bool has_8bit(std::string_view bytes) {
    return std::ranges::any_of(bytes, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

/// The header block with this Content-Transfer-Encoding in place of any other.
std::string with_encoding(std::string_view entity,
                          const mail::HeaderBlock& block,
                          std::string_view encoding) {
    std::string result;
    std::size_t copied = 0;
    for (std::size_t i = 0; i < block.fields.size(); ++i) {
        if (!mail::same_name(block.fields[i].name, "Content-Transfer-Encoding")) continue;
        result += entity.substr(copied, block.extents[i].offset - copied);
        copied = block.extents[i].offset + block.extents[i].size;
    }
    result += entity.substr(copied, block.fields_end - copied);
    result.append("Content-Transfer-Encoding: ").append(encoding).append("\r\n");
    return result;
}

/// A multipart body cut at its boundaries: the lines between two parts belong to neither.
struct Pieces {
    std::vector<std::string_view> parts;
    std::vector<std::string_view> between;  ///< one more than parts: preamble, delimiters, epilogue
};

std::optional<Pieces> cut(std::string_view body, std::string_view boundary) {
    auto const delimiter = "--" + std::string(boundary);
    Pieces pieces;
    std::size_t between_start = 0;
    std::size_t part_start = std::string_view::npos;
    std::size_t line = 0;
    while (line < body.size()) {
        auto const found = body.find("\r\n", line);
        auto const next = found == std::string_view::npos ? body.size() : found + 2;
        auto text = body.substr(line, (found == std::string_view::npos ? next : found) - line);
        bool const last =
            text.starts_with(delimiter) && text.substr(delimiter.size()).starts_with("--");
        auto rest = text.starts_with(delimiter) ? text.substr(delimiter.size() + (last ? 2 : 0))
                                                : std::string_view("x");
        if (rest.find_first_not_of(" \t") == std::string_view::npos) {
            if (part_start != std::string_view::npos) {
                // The line end before the delimiter belongs to it (RFC 2046 §5.1.1).
                auto const end = line - part_start >= 2 ? line - 2 : part_start;
                pieces.parts.push_back(body.substr(part_start, end - part_start));
                between_start = end;
            }
            pieces.between.push_back(body.substr(between_start, next - between_start));
            part_start = next;
            if (last) {
                auto& tail = pieces.between.back();
                tail = body.substr(between_start);
                return pieces;
            }
        }
        line = next;
    }
    if (part_start == std::string_view::npos) return std::nullopt;  // no boundary at all
    // Not closed: what stands behind the last delimiter is the last part.
    pieces.parts.push_back(body.substr(part_start));
    pieces.between.emplace_back();
    return pieces;
}

std::optional<std::string> convert(std::string_view entity, unsigned depth);

std::optional<std::string> convert_parts(std::string_view body,
                                         std::string_view boundary,
                                         unsigned depth) {
    if (boundary.empty()) return std::nullopt;
    auto const pieces = cut(body, boundary);
    if (!pieces) return std::nullopt;
    std::string result;
    for (std::size_t i = 0; i < pieces->between.size(); ++i) {
        if (has_8bit(pieces->between[i])) return std::nullopt;
        result += pieces->between[i];
        if (i >= pieces->parts.size()) continue;
        auto const part = convert(pieces->parts[i], depth + 1);
        if (!part) return std::nullopt;
        result += *part;
    }
    return result;
}

std::optional<std::string> convert(std::string_view entity, unsigned depth) {
    if (!has_8bit(entity)) return std::string(entity);
    if (depth > depth_max) return std::nullopt;
    auto const block = mail::parse_header_block(entity, mail::LineEnd::crlf);
    if (has_8bit(entity.substr(0, block.fields_end))) return std::nullopt;
    auto const separator = entity.substr(block.fields_end, block.body_offset - block.fields_end);
    auto const body = entity.substr(block.body_offset);

    auto const* const field = mail::find_field(block.fields, "Content-Type");
    auto const type = field == nullptr ? std::nullopt : mail::parse_media_type(field->value);
    auto const* const cte = mail::find_field(block.fields, "Content-Transfer-Encoding");
    auto const encoding = cte == nullptr ? "" : mail::lower(mail::trim(mail::unfold(cte->value)));

    std::string header;
    std::string converted;
    if (type && type->type == "multipart") {
        if (type->subtype == "signed" || type->subtype == "encrypted") return std::nullopt;
        auto parts = convert_parts(body, type->parameter("boundary"), depth);
        if (!parts) return std::nullopt;
        header = with_encoding(entity, block, "7bit");
        converted = std::move(*parts);
    } else if (type && type->type == "message") {
        if (type->subtype != "rfc822" && type->subtype != "global") return std::nullopt;
        auto inner = convert(body, depth + 1);
        if (!inner) return std::nullopt;
        header = with_encoding(entity, block, "7bit");
        converted = std::move(*inner);
    } else {
        // Bytes that claim to be encoded already would be encoded twice.
        if (encoding == "base64" || encoding == "quoted-printable") return std::nullopt;
        auto const text = !type || type->type == "text";
        auto quoted = text ? mail::quoted_printable(body) : std::string();
        auto coded = mail::base64_lines(body);
        bool const quote = text && quoted.size() <= coded.size();
        header = with_encoding(entity, block, quote ? "quoted-printable" : "base64");
        converted = quote ? std::move(quoted) : std::move(coded);
    }
    header += separator.empty() ? std::string_view("\r\n") : separator;
    return header + converted;
}

}  // namespace

std::optional<std::string> to_seven_bit(std::string_view message) {
    return convert(message, 0);
}

}  // namespace millrace::relay
