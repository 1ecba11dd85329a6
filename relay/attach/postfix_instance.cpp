#include "relay/attach/postfix_instance.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>

#include "common/base/time.hpp"
#include "relay/attach/program.hpp"

namespace millrace::attach {
namespace {

using Where = Change::Where;

/// smtpd_milter_maps came with 3.2, what 3.4 lacks nobody uses any more; 4 may be another program.
constexpr int version_major = 3;
constexpr int version_minor_min = 4;

constexpr int reload_attempts = 5;
constexpr int reload_pause_milliseconds = 200;

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

Result<void> know(const std::string& version) {
    int major = 0, minor = 0;
    auto const* const end = version.data() + version.size();
    auto const [dot, fault] = std::from_chars(version.data(), end, major);
    if (fault == std::errc() && dot != end && *dot == '.') {
        std::from_chars(dot + 1, end, minor);
    }
    if (major == version_major && minor >= version_minor_min) {
        return {};
    }
    return failure(
        Fault::invalid,
        fmt::format("this is Postfix {}: attach knows {}.{} and later; nothing was "
                    "changed. `millrace attach postfix --print` on another machine shows "
                    "what to set by hand",
                    version.empty() ? "of no known version" : version,
                    version_major,
                    version_minor_min));
}

const char* flag(Where where) {
    switch (where) {
        case Where::service:
            return "-M";
        case Where::option:
            return "-P";
        case Where::main:
            break;
    }
    return nullptr;
}

/// Tables whose keys can be listed.
bool is_file_table(const std::string& element) {
    auto const colon = element.find(':');
    auto const type = element.substr(0, colon == std::string::npos ? 0 : colon);
    return type == "hash" || type == "btree" || type == "lmdb" || type == "cdb" || type == "dbm" ||
           type == "texthash" || element.starts_with('/');
}

std::vector<std::string> first_words(const std::string& text) {
    std::vector<std::string> words;
    for (std::size_t begin = 0; begin < text.size();) {
        auto const end = std::min(text.find('\n', begin), text.size());
        auto const line = std::string_view(text).substr(begin, end - begin);
        if (!line.empty() && line[0] != '#' && line[0] != ' ' && line[0] != '\t') {
            words.emplace_back(line.substr(0, line.find_first_of(" \t")));
        }
        begin = end + 1;
    }
    return words;
}

}  // namespace

Result<PostfixInstance> PostfixInstance::find(const std::string& folder) {
    PostfixInstance instance(folder);
    auto const asked = run_program(instance.postconf({"-xh", "mail_version"}));
    if (!asked) {
        return failure(Fault::not_found,
                       "no Postfix here: " + asked.error().detail +
                           "; if it stands elsewhere, put its folder of programs into PATH");
    }
    if (asked->exit != 0) {
        return failure(Fault::corrupt,
                       fmt::format("Postfix cannot read its configuration: {}; mend that first, "
                                   "nothing was changed",
                                   first_line(asked->error)));
    }
    if (auto known = know(first_line(asked->out)); !known) {
        return std::unexpected(known.error());
    }
    auto const where = output_of(instance.postconf({"-xh", "config_directory"}));
    if (!where) {
        return std::unexpected(where.error());
    }
    auto const several = output_of(instance.postconf({"-xh", "multi_instance_directories"}));
    if (several && !first_line(*several).empty() && folder.empty()) {
        return failure(Fault::invalid,
                       fmt::format("there are several instances of Postfix: say which one with "
                                   "--config-dir: {} {}",
                                   first_line(*where),
                                   first_line(*several)));
    }
    instance.folder_ = folder.empty() ? first_line(*where) : folder;
    return instance;
}

std::vector<std::string> PostfixInstance::files() const {
    return {folder_ + "/main.cf", folder_ + "/master.cf"};
}

std::vector<std::string> PostfixInstance::postconf(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "postconf");
    if (!folder_.empty()) {
        arguments.insert(arguments.begin() + 1, {"-c", folder_});
    }
    return arguments;
}

Result<Postfix> PostfixInstance::read() const {
    std::string answers[4];
    std::size_t i = 0;
    for (auto const* option : {"-x", "-n", "-F", "-P"}) {
        auto answer = output_of(postconf({option}));
        if (!answer) {
            return failure(Fault::corrupt,
                           answer.error().detail + "; mend that first, nothing was changed");
        }
        answers[i++] = std::move(*answer);
    }
    auto postfix = read_postfix(folder_, answers[0], answers[1], answers[2], answers[3]);
    if (auto done = read_tables(postfix); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = read_login(postfix); !done) {
        return std::unexpected(done.error());
    }
    return postfix;
}

Result<void> PostfixInstance::read_tables(Postfix& postfix) const {
    for (auto const* name : {"mydestination",
                             "virtual_alias_domains",
                             "virtual_mailbox_domains",
                             "relay_domains",
                             "mynetworks"}) {
        for (auto const& element : elements(postfix.get(name))) {
            if (postfix.tables.contains(element) || !is_file_table(element)) {
                continue;
            }
            // Type `texthash` and plain files are text already.
            auto const colon = element.find(':');
            auto const text =
                element.starts_with('/') || element.starts_with("texthash:")
                    ? output_of({"cat", element.substr(colon == element.npos ? 0 : colon + 1)})
                    : output_of({"postmap", "-c", folder_, "-s", element});
            if (text) {
                postfix.tables[element] = first_words(*text);
            }
        }
    }
    return {};
}

Result<void> PostfixInstance::read_login(Postfix& postfix) const {
    auto const host = postfix.get("relayhost");
    if (host.empty() || !postfix.yes("smtp_sasl_auth_enable")) {
        return {};
    }
    for (auto const& table : elements(postfix.get("smtp_sasl_password_maps"))) {
        auto const found = run_program({"postmap", "-c", folder_, "-q", host, table});
        if (found && found->exit == 0) {
            postfix.login = first_line(found->out);
            return {};
        }
    }
    return {};
}

Result<void> PostfixInstance::check() const {
    auto const checked = run_program({"postfix", "-c", folder_, "check"});
    if (!checked) {
        return std::unexpected(checked.error());
    }
    if (checked->exit != 0) {
        return failure(
            Fault::unavailable,
            fmt::format("`postfix check` is not content: {}", first_line(checked->error)));
    }
    return {};
}

bool PostfixInstance::running() const {
    auto const status = run_program({"postfix", "-c", folder_, "status"});
    return status && status->exit == 0;
}

Result<void> PostfixInstance::apply(const std::vector<Change>& changes) const {
    // One call per kind and run of changes: postconf rewrites the whole file each time.
    for (std::size_t i = 0; i < changes.size();) {
        std::vector<std::string> arguments;
        auto const where = changes[i].where;
        if (flag(where) != nullptr) {
            arguments.emplace_back(flag(where));
        }
        arguments.emplace_back("-e");
        for (; i < changes.size() && changes[i].where == where; ++i) {
            arguments.push_back(changes[i].name + "=" + changes[i].value);
        }
        if (auto done = output_of(postconf(arguments)); !done) {
            return std::unexpected(done.error());
        }
    }
    return {};
}

Result<void> PostfixInstance::revert(const std::vector<Change>& changes,
                                     const std::vector<Change>& before) const {
    // Options before the service they stand in.
    std::vector<Change> sorted;
    for (bool const options : {true, false}) {
        std::ranges::copy_if(changes, std::back_inserter(sorted), [&](const Change& change) {
            return (change.where == Where::option) == options;
        });
    }
    for (auto const& change : sorted) {
        auto const old = std::ranges::find_if(before, [&](const Change& b) {
            return b.where == change.where && b.name == change.name;
        });
        std::vector<std::string> arguments;
        if (flag(change.where) != nullptr) {
            arguments.emplace_back(flag(change.where));
        }
        if (old != before.end()) {
            arguments.insert(arguments.end(), {"-e", old->name + "=" + old->value});
        } else {
            arguments.insert(arguments.end(), {"-X", change.name});
        }
        if (auto done = output_of(postconf(arguments)); !done) {
            return std::unexpected(done.error());
        }
    }
    return {};
}

Result<void> PostfixInstance::reload() const {
    // A master that is just starting or reloading may not take it; asking again does no harm.
    Result<std::string> done;
    for (int attempt = 1; attempt <= reload_attempts; ++attempt) {
        done = output_of({"postfix", "-c", folder_, "reload"});
        if (done) {
            return {};
        }
        ::poll(nullptr, 0, reload_pause_milliseconds);
    }
    return std::unexpected(done.error());
}

std::vector<std::string> PostfixInstance::flush_command() const {
    auto const programs = output_of(postconf({"-xh", "command_directory"}));
    return {(programs ? first_line(*programs) : "/usr/sbin") + "/postqueue", "-c", folder_, "-f"};
}

std::string as_commands(const std::string& folder, const std::vector<Change>& changes) {
    auto const quoted = [](std::string_view word) {
        bool const plain = word.find_first_not_of(
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                               "WXYZ0123456789_-./") == std::string_view::npos;
        std::string out;
        for (char const c : word) {
            out += c == '\'' ? std::string("'\\''") : std::string(1, c);
        }
        return plain && !word.empty() ? out : "'" + out + "'";
    };
    std::string text;
    for (auto const& change : changes) {
        auto const* const equals = change.where == Where::main ? " = " : "=";
        text += fmt::format("postconf -c {} {}{}-e {}\n",
                            quoted(folder),
                            flag(change.where) == nullptr ? "" : flag(change.where),
                            flag(change.where) == nullptr ? "" : " ",
                            quoted(change.name + equals + change.value));
    }
    return text;
}

}  // namespace millrace::attach
