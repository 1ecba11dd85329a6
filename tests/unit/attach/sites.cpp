#include "sites.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "common/config/load.hpp"

namespace millrace::attach {
namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(MILLRACE_SOURCE_DIR) / "tests/data/attach";

/// The parts of a file: what follows `@ PART`.
std::map<std::string, std::string> parts_of(const std::string& name) {
    std::ifstream in(folder / (name + ".site"));
    if (!in) {
        throw std::runtime_error("no such site: " + name);
    }
    std::map<std::string, std::string> parts;
    std::string line, part;
    while (std::getline(in, line)) {
        if (line.starts_with("@ ")) {
            part = line.substr(2);
            parts[part];
        } else {
            parts[part] += line + "\n";
        }
    }
    return parts;
}

std::string expanded(const Postfix& postfix, const std::string& value) {
    std::string text;
    for (auto const& element : elements(value)) {
        text += (text.empty() ? "" : ", ") +
                (element.starts_with('$') ? postfix.get(element.substr(1)) : element);
    }
    return text;
}

}  // namespace

std::vector<std::string> site_names() {
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".site") {
            names.push_back(entry.path().stem());
        }
    }
    std::ranges::sort(names);
    return names;
}

Postfix site(const std::string& name) {
    // Only debian.site has every parameter; the others have those that differ.
    auto const base = parts_of("debian");
    auto parts = parts_of(name);
    auto postfix = read_postfix("/etc/postfix",
                                base.at("-x") + parts.at("-x"),
                                parts.at("-n"),
                                parts.at("-F"),
                                parts.at("-P"));
    for (auto const& [part, text] : parts) {
        if (part.starts_with("table ")) {
            for (std::size_t begin = 0; begin < text.size();) {
                auto const end = text.find('\n', begin);
                postfix.tables[part.substr(6)].push_back(text.substr(begin, end - begin));
                begin = end + 1;
            }
        }
    }
    postfix.login = parts["login"].substr(0, parts["login"].find('\n'));
    return postfix;
}

Postfix applied(Postfix postfix, const std::vector<Change>& changes) {
    auto const service_of = [&](const std::string& key) -> Service& {
        auto const found = std::ranges::find_if(
            postfix.services, [&](const Service& service) { return service.key() == key; });
        if (found != postfix.services.end()) {
            return *found;
        }
        auto const slash = key.rfind('/');
        postfix.services.push_back({key.substr(0, slash), key.substr(slash + 1), {}, {}, {}});
        return postfix.services.back();
    };
    for (auto const& change : changes) {
        auto const slash = change.name.rfind('/');
        switch (change.where) {
            case Change::Where::main:
                postfix.written[change.name] = change.value;
                postfix.expanded[change.name] = expanded(postfix, change.value);
                break;
            case Change::Where::service:
                service_of(change.name).command = change.value.substr(change.value.rfind(' ') + 1);
                break;
            case Change::Where::option:
                service_of(change.name.substr(0, slash)).options[change.name.substr(slash + 1)] =
                    change.value;
                break;
        }
    }
    return postfix;
}

Wish wish() {
    Wish wish;
    wish.settings = *config::parse("", "nothing");
    wish.socket = "/var/spool/postfix/millrace/milter.sock";
    wish.clients = "/etc/postfix/millrace-clients.cidr";
    wish.message_log = "/var/log/millrace/gate.jsonl";
    wish.password_file = "/etc/millrace/attached/smarthost.password";
    wish.handover_key = "/etc/millrace/attached/handover.key";
    wish.wake = {"/usr/sbin/postqueue", "-c", "/etc/postfix", "-f"};
    return wish;
}

std::string value_of(const Plan& plan, const std::string& name) {
    auto const found = std::ranges::find_if(
        plan.changes, [&](const Change& change) { return change.name == name; });
    return found == plan.changes.end() ? std::string() : found->value;
}

bool says(const std::vector<std::string>& sentences, const std::string& words) {
    return std::ranges::any_of(sentences, [&](const std::string& sentence) {
        return sentence.find(words) != std::string::npos;
    });
}

}  // namespace millrace::attach
