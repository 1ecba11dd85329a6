#include "relay/attach/postfix.hpp"

#include <algorithm>

namespace millrace::attach {
namespace {

std::string_view trimmed(std::string_view text) {
    auto const begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// Calls take(name, value) for each `name = value`.
template <class Take>
void each_line(std::string_view text, Take take) {
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto const line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (auto const equals = line.find('='); equals != std::string_view::npos) {
            take(trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
        }
    }
}

/// `submission/inet/chroot` -> key and last word; a service name may hold slashes itself.
bool split(std::string_view path, std::string_view& key, std::string_view& word) {
    auto const slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return false;
    }
    key = path.substr(0, slash);
    word = path.substr(slash + 1);
    return key.find('/') != std::string_view::npos;
}

Service& service_of(std::vector<Service>& services, std::string_view key) {
    auto const found =
        std::ranges::find_if(services, [&](const Service& s) { return s.key() == key; });
    if (found != services.end()) {
        return *found;
    }
    auto const slash = key.rfind('/');
    services.push_back(
        {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1)), {}, {}, {}});
    return services.back();
}

}  // namespace

std::string Postfix::get(const std::string& name) const {
    auto const found = expanded.find(name);
    return found == expanded.end() ? std::string() : found->second;
}

std::string Postfix::get(const std::string& name, const Service& service) const {
    auto const found = service.options.find(name);
    if (found == service.options.end()) {
        return get(name);
    }
    return resolved(found->second);
}

/// `-o smtpd_client_restrictions=$mua_client_restrictions`, `${name}`, `$(name)`
std::string Postfix::resolved(const std::string& value) const {
    std::string text;
    bool replaced = false;
    for (auto const& element : elements(value)) {
        std::string_view name = element;
        bool const named = name.starts_with('$');
        name.remove_prefix(named ? 1 : 0);
        if (named && name.size() > 2 && (name.front() == '{' || name.front() == '(')) {
            name = name.substr(1, name.size() - 2);
        }
        auto const found = named ? expanded.find(std::string(name)) : expanded.end();
        replaced |= found != expanded.end();
        text += (text.empty() ? "" : ", ") + (found == expanded.end() ? element : found->second);
    }
    return replaced ? text : value;
}

const Service* Postfix::service(std::string_view key) const {
    auto const found =
        std::ranges::find_if(services, [&](const Service& s) { return s.key() == key; });
    return found == services.end() ? nullptr : &*found;
}

Postfix read_postfix(std::string folder,
                     std::string_view expanded,
                     std::string_view written,
                     std::string_view fields,
                     std::string_view options) {
    Postfix result;
    result.folder = std::move(folder);
    each_line(expanded, [&](std::string_view name, std::string_view value) {
        result.expanded[std::string(name)] = value;
    });
    each_line(written, [&](std::string_view name, std::string_view value) {
        result.written[std::string(name)] = value;
    });
    each_line(fields, [&](std::string_view path, std::string_view value) {
        std::string_view key, word;
        if (!split(path, key, word)) {
            return;
        }
        auto& service = service_of(result.services, key);
        if (word == "chroot") {
            service.chroot = value;
        } else if (word == "command") {
            service.command = value.substr(0, value.find_first_of(" \t"));
        }
    });
    each_line(options, [&](std::string_view path, std::string_view value) {
        std::string_view key, word;
        if (split(path, key, word)) {
            service_of(result.services, key).options[std::string(word)] = value;
        }
    });
    return result;
}

std::vector<std::string> elements(std::string_view value) {
    std::vector<std::string> found;
    std::string word;
    int depth = 0;
    for (char const c : value) {
        bool const separator = c == ' ' || c == '\t' || c == ',' || c == '\n' || c == '\r';
        if (separator && depth == 0) {
            if (!word.empty()) {
                found.push_back(std::exchange(word, {}));
            }
            continue;
        }
        depth += c == '{' ? 1 : c == '}' ? -1 : 0;
        depth = std::max(depth, 0);
        word += c;
    }
    if (!word.empty()) {
        found.push_back(word);
    }
    return found;
}

}  // namespace millrace::attach
