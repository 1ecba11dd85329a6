#include "common/config/load.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

#include "common/config/complete.hpp"
#include "common/config/document.hpp"
#include "common/config/nearest.hpp"
#include "common/config/table.hpp"

namespace millrace::config {
namespace {

/// Whether `name` is a group on the way to the setting `line`.
bool leads_to(std::string_view name, std::string_view line) {
    return line.size() > name.size() && line.starts_with(name) && line[name.size()] == '.';
}

std::string_view last_part(std::string_view name) {
    auto const dot = name.rfind('.');
    return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

/// What a person who wrote `name` most likely meant: a neighbour in the same group, the same word
/// in another group, or the nearest of all.
std::string meant(const std::string& name, const std::vector<Setting>& lines) {
    auto const group = name.substr(0, name.size() - last_part(name).size());
    std::vector<std::string> neighbours;
    std::vector<std::string> all;
    for (auto const& line : lines) {
        all.push_back(line.name);
        if (line.name.starts_with(group)) {
            neighbours.push_back(line.name.substr(0, line.name.find('.', group.size())));
        }
    }
    std::vector<std::string> words;
    for (auto const& neighbour : neighbours) {
        words.emplace_back(last_part(neighbour));
    }
    if (auto const word = nearest(last_part(name), words); !word.empty()) {
        return group + word;
    }
    for (auto const& one : all) {
        if (last_part(one) == last_part(name)) {
            return one;
        }
    }
    return {};
}

std::unexpected<Failure> unknown(const Node& node,
                                 const std::string& name,
                                 const std::string& prefix,
                                 const std::vector<Setting>& lines) {
    auto const guess = meant(name, lines);
    return failure(
        Fault::invalid,
        fmt::format("{}unknown setting {}{}{}",
                    node.place(),
                    prefix,
                    name,
                    guess.empty() ? std::string() : ": did you mean " + prefix + guess + "?"));
}

std::unexpected<Failure> objection(const Node& node,
                                   const std::string& name,
                                   const std::string& text) {
    return failure(Fault::invalid, fmt::format("{}{}: {}", node.place(), name, text));
}

Result<void> read_group(const Node& group,
                        const std::string& path,
                        const std::string& prefix,
                        const std::vector<Setting>& lines);

Result<void> read_items(const Node& node, const std::string& name, const Items& items) {
    if (node.kind != Node::Kind::list) {
        return objection(node, name, "expected a list of groups: ( { … }, { … } )");
    }
    items.resize(0);  // a list replaces the one beneath it
    items.resize(node.children.size());
    for (std::size_t i = 0; i < node.children.size(); ++i) {
        auto const& element = node.children[i];
        if (element.kind != Node::Kind::group) {
            return objection(element, name, "expected a list of groups: ( { … }, { … } )");
        }
        if (auto read = read_group(element, {}, name + ".", items.element(i)); !read) {
            return read;
        }
    }
    return {};
}

/// path: of this group, with a dot at its end unless it is empty; prefix: what stands before it in
/// messages only (`relay.routes.` for an element of a list).
Result<void> read_group(const Node& group,
                        const std::string& path,
                        const std::string& prefix,
                        const std::vector<Setting>& lines) {
    for (auto const& node : group.children) {
        auto const name = path + node.name;
        auto const line = std::find_if(
            lines.begin(), lines.end(), [&](const Setting& s) { return s.name == name; });
        Result<void> read;
        if (line != lines.end() && line->items) {
            read = read_items(node, prefix + name, *line->items);
        } else if (line != lines.end()) {
            if (auto const text = line->read(node)) {
                read = objection(node, prefix + name, *text);
            }
        } else if (std::any_of(lines.begin(), lines.end(), [&](const Setting& s) {
                       return leads_to(name, s.name);
                   })) {
            read = node.kind == Node::Kind::group
                       ? read_group(node, name + ".", prefix, lines)
                       : objection(node, prefix + name, "is a group: write it as { … }");
        } else {
            read = unknown(node, name, prefix, lines);
        }
        if (!read) {
            return read;
        }
    }
    return {};
}

Result<void> read_into(Settings& settings, const std::string& text, const std::string& name) {
    auto const document = read_document(text, name);
    if (!document) {
        return std::unexpected(document.error());
    }
    return read_group(*document, {}, {}, table(settings));
}

Result<Snapshot> finish(std::shared_ptr<Settings> settings,
                        const std::string& name,
                        std::vector<std::string>* warnings) {
    std::vector<std::string> noted;
    if (auto done = complete(*settings, noted); !done) {
        return failure(done.error().fault, fmt::format("{}: {}", name, done.error().detail));
    }
    if (warnings != nullptr) {
        for (auto const& warning : noted) {
            warnings->push_back(fmt::format("{}: {}", name, warning));
        }
    }
    return settings;
}

/// The whole file; empty when it is missing and may be.
Result<std::string> read_file(const std::string& file, Missing missing) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        auto const error = errno;
        if (error == ENOENT && missing == Missing::means_defaults) {
            return std::string();
        }
        return failure(
            Fault::invalid,
            fmt::format("{}: cannot be read: {}{}",
                        file,
                        std::strerror(error),
                        error == EACCES ? "; run as root or as the user of the relay" : ""));
    }
    std::ostringstream text;
    text << in.rdbuf();
    if (in.bad() || text.fail()) {
        // An empty file leaves failbit on the output stream; a folder cannot be read at all.
        std::error_code error;
        if (std::filesystem::is_directory(file, error)) {
            return failure(Fault::invalid, fmt::format("{}: is a directory", file));
        }
    }
    return text.str();
}

}  // namespace

Result<void> read_settings(const Node& group, const std::vector<Setting>& lines) {
    return read_group(group, {}, {}, lines);
}

std::string attached_file(const std::string& file) {
    return std::filesystem::path(file).parent_path() / "attached.conf";
}

Result<Snapshot> parse(const std::string& text,
                       const std::string& name,
                       std::vector<std::string>* warnings) {
    auto settings = std::make_shared<Settings>();
    if (auto read = read_into(*settings, text, name); !read) {
        return std::unexpected(read.error());
    }
    return finish(std::move(settings), name, warnings);
}

Result<Snapshot> load(const std::string& file,
                      Missing missing,
                      std::vector<std::string>* warnings) {
    auto settings = std::make_shared<Settings>();
    for (auto const& [name, needed] :
         {std::pair{attached_file(file), Missing::means_defaults}, std::pair{file, missing}}) {
        auto const text = read_file(name, needed);
        if (!text) {
            return std::unexpected(text.error());
        }
        if (auto read = read_into(*settings, *text, name); !read) {
            return std::unexpected(read.error());
        }
    }
    return finish(std::move(settings), file, warnings);
}

bool mentions(const std::string& file, std::string_view name) {
    auto const text = read_file(file, Missing::means_defaults);
    auto const document = text ? read_document(*text, file) : failure(Fault::invalid, {});
    if (!document) {
        return false;
    }
    Node const* node = &*document;
    while (!name.empty()) {
        auto const part = name.substr(0, name.find('.'));
        name.remove_prefix(std::min(part.size() + 1, name.size()));
        auto const found = std::ranges::find(node->children, part, &Node::name);
        if (found == node->children.end()) {
            return false;
        }
        node = &*found;
    }
    return true;
}

}  // namespace millrace::config
