#include "common/base/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace millrace {
namespace {

bool plain(std::string_view value) {
    if (value.empty()) {
        return false;
    }
    for (char const c : value) {
        auto const u = static_cast<unsigned char>(c);
        if (u <= ' ' || u == '"' || u == '\\' || u == '=' || u >= 0x7f) {
            return false;
        }
    }
    return true;
}

void append_escaped(std::string& out, std::string_view value) {
    for (char const c : value) {
        auto const u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (u < ' ' || u == 0x7f) {
            out += fmt::format("\\x{:02x}", u);
        } else {
            out += c;
        }
    }
}

}  // namespace

std::string format_log_line(std::string_view event, std::initializer_list<Field> fields) {
    std::string line(event);
    for (auto const& field : fields) {
        line += ' ';
        line += field.name;
        line += '=';
        if (plain(field.value)) {
            line += field.value;
        } else {
            line += '"';
            append_escaped(line, field.value);
            line += '"';
        }
    }
    return line;
}

DescriptorLog::DescriptorLog(int descriptor, Level least, Prefix prefix)
    : descriptor_(descriptor), least_(least), prefix_(prefix) {}

void DescriptorLog::write(Level level,
                          std::string_view event,
                          std::initializer_list<Field> fields) {
    if (level > least_) {
        return;
    }
    static constexpr const char* severity[] = {"<3>", "<4>", "<6>", "<7>"};
    static constexpr const char* word[] = {"error: ", "warning: ", "", ""};
    std::string line = prefix_ == Prefix::syslog_level ? severity[static_cast<int>(level)] : "";
    line += word[static_cast<int>(level)];
    line += format_log_line(event, fields);
    line += '\n';
    std::lock_guard const lock(mutex_);
    // A log that cannot be written (closed pipe, full disk) must not stop mail.
    [[maybe_unused]] auto const written = ::write(descriptor_, line.data(), line.size());
}

}  // namespace millrace
