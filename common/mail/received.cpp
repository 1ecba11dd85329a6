#include "common/mail/received.hpp"

#include "common/mail/address_lexer.hpp"
#include "common/mail/date.hpp"

namespace millrace::mail {

std::size_t count_received(std::span<const HeaderField> fields) {
    return count_fields(fields, "Received");
}

std::optional<std::int64_t> received_date(std::string_view value) {
    const Tokens tokens = tokenize(value);
    for (std::size_t i = tokens.list.size(); i-- > 0;)
        if (tokens.is(tokens.list[i], ';')) return parse_date(value.substr(tokens.list[i].end));
    return std::nullopt;
}

}  // namespace millrace::mail
