// Any bytes as a message: the extents of the fields cover the header block without gap or overlap,
// the body is found whole, and the result does not depend on what follows the block.

#include "common/mail/header_block.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.hpp"
#include "common/mail/media_type.hpp"
#include "common/mail/message_id.hpp"

namespace {

using namespace millrace::mail;

void check(std::string_view message, LineEnd line_end) {
    const HeaderBlock block = parse_header_block(message, line_end);
    MILLRACE_CHECK(block.fields.size() == block.extents.size());
    MILLRACE_CHECK(block.fields_end <= block.body_offset && block.body_offset <= message.size());
    const std::size_t separator = block.separator ? bytes_of(line_end).size() : 0;
    MILLRACE_CHECK(block.body_offset == block.fields_end + separator);
    const bool mbox = !block.extents.empty() && block.extents.front().offset != 0;
    std::size_t at = mbox ? block.extents.front().offset : 0;
    for (std::size_t i = 0; i < block.fields.size(); ++i) {
        const HeaderField& field = block.fields[i];
        MILLRACE_CHECK(block.extents[i].offset == at);
        at += block.extents[i].size;
        const std::string_view whole =
            message.substr(block.extents[i].offset, block.extents[i].size);
        MILLRACE_CHECK(!field.name.empty() && whole.starts_with(field.name));
        MILLRACE_CHECK(field.value.data() >= whole.data() &&
                       field.value.data() + field.value.size() <= whole.data() + whole.size());
        MILLRACE_CHECK(unfold(field.value).size() <= field.value.size());
        parse_media_type(field.value);
        const std::string_view id = first_message_id(field.value);
        MILLRACE_CHECK(id.size() <= field.value.size());
    }
    MILLRACE_CHECK(block.fields.empty() || at == block.fields_end);

    if (!block.separator) return;
    const HeaderBlock alone = parse_header_block(message.substr(0, block.body_offset), line_end);
    MILLRACE_CHECK(alone.extents == block.extents && alone.defects == block.defects);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    check(message, LineEnd::crlf);
    check(message, LineEnd::lf);
    check(message, detect_line_end(message));
    return 0;
}
