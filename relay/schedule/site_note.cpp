#include "relay/schedule/site_note.hpp"

#include <charconv>
#include <span>

namespace millrace::relay {
namespace {

// site-note = "1" TAB provider TAB other TAB what TAB since TAB alone TAB greylist TAB used
//             *( TAB mark )
// Times and spans in whole seconds.
constexpr std::string_view version = "1";
constexpr std::size_t fields_least = 8;
constexpr std::size_t marks_most = 64;

std::int64_t number(std::string_view text) {
    std::int64_t value = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    // Beyond a thousand years it is no time, and nanoseconds would not hold it.
    constexpr std::int64_t most = 9'000'000'000;
    return read.ec == std::errc{} && value >= 0 && value < most ? value : 0;
}

template <class T>
std::int64_t whole_seconds(T span) {
    return std::chrono::duration_cast<std::chrono::seconds>(span).count();
}

/// Names of the world outside: none of them may end a field.
void append(std::string& out, std::string_view field) {
    out += '\t';
    for (char const c : field)
        out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
}

}  // namespace

std::string SiteNote::text() const {
    std::string out(version);
    append(out, provider);
    append(out, why.other);
    append(out, why.what);
    append(out, std::to_string(whole_seconds(why.since.time_since_epoch())));
    append(out, alone ? "1" : "0");
    append(out, std::to_string(whole_seconds(greylist)));
    append(out, std::to_string(whole_seconds(used.time_since_epoch())));
    for (auto const& mark : marks)
        append(out, mark);
    return out;
}

SiteNote SiteNote::read(const std::string& site, std::string_view text) {
    std::vector<std::string_view> fields;
    while (fields.size() < fields_least + marks_most) {
        auto const end = text.find('\t');
        fields.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    SiteNote note;
    note.site = site;
    if (fields.size() < fields_least || fields[0] != version) return note;
    note.provider = fields[1];
    note.why = {site,
                std::string(fields[2]),
                std::string(fields[3]),
                Time(std::chrono::seconds(number(fields[4])))};
    note.alone = fields[5] == "1";
    note.greylist = std::chrono::seconds(number(fields[6]));
    note.used = Time(std::chrono::seconds(number(fields[7])));
    for (auto const mark : std::span(fields).subspan(fields_least))
        note.marks.emplace_back(mark);
    return note;
}

}  // namespace millrace::relay
