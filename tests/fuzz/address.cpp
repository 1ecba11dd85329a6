// Any bytes as an address field or an SMTP path: what is printed reads back as the same; the
// lenient reading is the strict one where there is one; a repair is final and changes no address.

#include "common/mail/address.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/subject.hpp"

namespace {

using namespace millrace::mail;

std::vector<std::string> addresses(const AddressList& list) {
    std::vector<std::string> out;
    for (const Mailbox& mailbox : list.mailboxes())
        out.push_back(mailbox.address());
    return out;
}

AddressList without_comments(AddressList list) {
    list.obsolete = false;
    list.mended = false;
    for (Address& address : list.addresses)
        for (Mailbox& mailbox : address.mailboxes)
            mailbox.comment.clear();
    return list;
}

void check_list(std::string_view value) {
    const auto strict = parse_addresses(value);
    const auto lenient = parse_addresses(value, Reading::lenient);
    if (strict) {
        MILLRACE_CHECK(lenient && *lenient == *strict);
        const auto again = parse_addresses(print(*strict));
        MILLRACE_CHECK(again && without_comments(*again) == without_comments(*strict));
    }
    if (lenient) {
        const auto again = parse_addresses(print(*lenient));
        MILLRACE_CHECK(again && addresses(*again) == addresses(*lenient));
        const std::string field = write_field(*lenient, "To");
        const auto written = parse_addresses(field);
        MILLRACE_CHECK(written && addresses(*written) == addresses(*lenient));
        MILLRACE_CHECK(field.find('\r') == std::string::npos &&
                       field.find('\0') == std::string::npos);
        for (const Mailbox& mailbox : lenient->mailboxes())
            MILLRACE_CHECK(domain_of(mailbox.address()) == mailbox.domain);
        is_ambiguous(value, *lenient);
    }
    const Repair once = repair_addresses(value, "To");
    if (!once.changed) return;
    MILLRACE_CHECK(once.value.size() <= 200 + 40 * value.size());
    MILLRACE_CHECK(!repair_addresses(once.value, "To").changed);
    if (!strict) return;
    const auto mended = parse_addresses(once.value);
    MILLRACE_CHECK(mended && addresses(*mended) == addresses(*strict));
}

void check_path(std::string_view text, PathKind kind, bool utf8) {
    const auto path = parse_path(text, kind, utf8);
    if (!path) return;
    MILLRACE_CHECK(path->length <= text.size() && text[path->length - 1] == '>');
    MILLRACE_CHECK(utf8 || is_ascii(path->address()));
    MILLRACE_CHECK(domain_of(path->address()) == path->domain);
    const auto again = parse_path("<" + path->address() + ">", kind, utf8);
    MILLRACE_CHECK(again && again->address() == path->address());
    // What goes out in a command may not end the line or the path.
    MILLRACE_CHECK(path->address().find_first_of(std::string_view("\r\n\0", 3)) ==
                   std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    check_list(text);
    check_path(text, data[0] % 2 == 0 ? PathKind::reverse : PathKind::forward, data[0] % 4 < 2);
    if (const auto mailbox = parse_address(text)) {
        const auto again = parse_address(mailbox->address());
        MILLRACE_CHECK(again && *again == *mailbox);
    }
    if (const auto domain = ascii_domain(text)) {
        const auto again = ascii_domain(*domain);
        MILLRACE_CHECK(again && *again == *domain);
        unicode_domain(*domain);
    }
    return 0;
}
