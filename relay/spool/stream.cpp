#include "relay/spool/stream.hpp"

namespace millrace::relay {
namespace {

constexpr char separator = '\x1f';
constexpr char slot_base = '@';

/// Separators end names; the door lets none in, and this is the second lock.
void append(std::string& out, std::string_view text) {
    for (char const c : text) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
}

}  // namespace

std::string stream_name(const Work& work) {
    auto name = work.destination;
    if (work.sender_domain.empty()) return name;
    name += separator;
    name += work.klass == Class::bulk ? 'b' : 't';
    name += static_cast<char>(slot_base + work.slot % (slots * ranks));
    append(name, work.account);
    name += separator;
    append(name, work.sender_domain);
    return name;
}

StreamKey parse_stream(std::string_view name) {
    StreamKey key;
    auto const first = name.find(separator);
    key.destination = name.substr(0, first);
    if (first == std::string_view::npos || name.size() < first + 3) return key;
    key.klass = name[first + 1] == 'b' ? Class::bulk : Class::transactional;
    key.slot = static_cast<std::uint8_t>(static_cast<std::uint8_t>(name[first + 2] - slot_base) %
                                         (slots * ranks));
    auto const rest = name.substr(first + 3);
    auto const second = rest.find(separator);
    key.account = rest.substr(0, second);
    if (second != std::string_view::npos) key.sender_domain = rest.substr(second + 1);
    return key;
}

}  // namespace millrace::relay
