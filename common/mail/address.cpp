#include "common/mail/address.hpp"

#include <algorithm>
#include <utility>

#include "common/mail/address_reader.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/text_encoder.hpp"

namespace millrace::mail {
namespace {

using Kind = Token::Kind;

std::string phrase(std::string_view name) {
    return is_plain_phrase(name) ? std::string(name) : quote(name);
}

std::string normal_domain(std::string_view domain) {
    auto ascii = ascii_domain(domain);
    return ascii ? std::move(*ascii) : lower(domain);
}

// The domain at the start of text: up to what no domain holds.
std::string_view leading_domain(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
    text.remove_prefix(begin);
    if (text.starts_with('[')) return text.substr(0, std::min(text.find(']'), text.size() - 1) + 1);
    return text.substr(0, text.find_first_of(" \t\r\n<>()[],;:\"\\"));
}

}  // namespace

std::string Mailbox::address() const {
    return (is_dot_atom(local_part) ? local_part : quote(local_part)) + "@" + domain;
}

std::vector<Mailbox> AddressList::mailboxes() const {
    std::vector<Mailbox> all;
    for (const Address& address : addresses)
        all.insert(all.end(), address.mailboxes.begin(), address.mailboxes.end());
    return all;
}

Result<AddressList> parse_addresses(std::string_view value, Reading reading) {
    auto result = read_strict(tokenize(value));
    if (!result && reading == Reading::lenient)
        result = read_lenient(tokenize(value, EncodedWords::whole));
    if (!result) return std::unexpected(std::move(result.error()));
    return std::move(result->list);
}

Result<Mailbox> parse_mailbox(std::string_view value, Reading reading) {
    auto list = parse_addresses(value, reading);
    if (!list) return std::unexpected(std::move(list.error()));
    if (list->addresses.size() != 1)
        return failure(Fault::invalid, "there is more than one address");
    if (list->addresses.front().group) return failure(Fault::invalid, "it is a group");
    return std::move(list->addresses.front().mailboxes.front());
}

std::string print(const Mailbox& mailbox) {
    if (mailbox.display_name.empty()) return mailbox.address();
    return phrase(mailbox.display_name) + " <" + mailbox.address() + ">";
}

std::string print(const AddressList& list) {
    std::string out;
    for (const Address& address : list.addresses) {
        if (!out.empty()) out += ", ";
        if (address.group) out += phrase(address.group_name) + ":";
        for (std::size_t i = 0; i < address.mailboxes.size(); ++i) {
            if (address.group) out += i == 0 ? " " : ", ";
            out += print(address.mailboxes[i]);
        }
        if (address.group) out += ';';
    }
    return out;
}

std::vector<std::string> careless_domains(std::string_view value) {
    std::string text;
    const std::size_t open = value.rfind('<');
    if (open != std::string_view::npos) {
        const std::string_view inner = value.substr(open + 1);
        text = inner.substr(0, inner.find('>'));
    } else {
        const Tokens tokens = tokenize(value);
        for (const Token& token : tokens.list)
            if (token.kind != Kind::comment) text += tokens.bytes(token);
    }
    const std::size_t at = text.rfind('@');
    if (at == std::string::npos) return {};
    return {normal_domain(leading_domain(std::string_view(text).substr(at + 1)))};
}

bool is_ambiguous(std::string_view value, const AddressList& list) {
    const std::vector<Mailbox> mailboxes = list.mailboxes();
    return std::ranges::any_of(careless_domains(value), [&mailboxes](const std::string& domain) {
        return std::ranges::none_of(mailboxes, [&domain](const Mailbox& mailbox) {
            return normal_domain(mailbox.domain) == domain;
        });
    });
}

std::string_view domain_of(std::string_view address) {
    bool quoted = false;
    std::size_t at = std::string_view::npos;
    for (std::size_t i = 0; i < address.size(); ++i) {
        if (quoted && address[i] == '\\') {
            ++i;
        } else if (address[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && address[i] == '@') {
            at = i;
            // The text of an address literal is nobody's `@`.
            if (address.substr(i + 1).starts_with('['))
                i = std::min(address.find(']', i), address.size());
        }
    }
    return at == std::string_view::npos ? std::string_view{} : address.substr(at + 1);
}

}  // namespace millrace::mail
