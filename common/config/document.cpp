#include "common/config/document.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <sstream>

#include <libconfig.h++>

namespace millrace::config {
namespace {

constexpr std::size_t text_size_max = 1 << 20;
constexpr unsigned depth_max = 20;  // the table has four levels

struct Depth {};

/// libconfig names the text itself nothing, and an included file as the directive does.
std::string source(const char* file, const std::string& top) {
    if (file == nullptr) {
        return top;
    }
    return std::filesystem::path(top).parent_path() / file;  // an absolute one stays
}

Node convert(const libconfig::Setting& setting, const std::string& top, unsigned depth) {
    if (depth > depth_max) {
        throw Depth{};
    }
    Node node;
    node.name = setting.getName() != nullptr ? setting.getName() : "";
    node.file = source(setting.getSourceFile(), top);
    node.line = setting.getSourceLine();
    switch (setting.getType()) {
        case libconfig::Setting::TypeInt:
            node.kind = Node::Kind::number;
            node.number = static_cast<int>(setting);
            break;
        case libconfig::Setting::TypeInt64:
            node.kind = Node::Kind::number;
            node.number = static_cast<long long>(setting);
            break;
        case libconfig::Setting::TypeFloat:
            node.kind = Node::Kind::real;
            node.real = setting;
            break;
        case libconfig::Setting::TypeBoolean:
            node.kind = Node::Kind::yes_no;
            node.truth = setting;
            break;
        case libconfig::Setting::TypeString:
            node.kind = Node::Kind::text;
            node.text = setting.c_str();
            break;
        case libconfig::Setting::TypeArray:
        case libconfig::Setting::TypeList:
            node.kind = Node::Kind::list;
            break;
        case libconfig::Setting::TypeGroup:
        case libconfig::Setting::TypeNone:
            node.kind = Node::Kind::group;
            break;
    }
    if (setting.isAggregate()) {
        for (int i = 0; i < setting.getLength(); ++i) {
            node.children.push_back(convert(setting[i], top, depth + 1));
        }
    }
    return node;
}

void files_of(const Node& node, std::set<std::string>& files) {
    files.insert(node.file);
    for (auto const& child : node.children) {
        files_of(child, files);
    }
}

bool word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '*' || c == '.';
}

/// libconfig 1.5 reads `4294967321` as 25: it keeps the low 32 bits of a number and says nothing.
/// So the numbers are looked at before. Gives the line of the first that does not fit.
std::optional<unsigned> oversized_number(std::string_view text) {
    unsigned line = 1;
    std::size_t i = 0;
    auto const skip_to = [&](std::string_view end) {
        auto const found = text.find(end, i);
        auto const stop = found == std::string_view::npos ? text.size() : found + end.size();
        for (; i < stop; ++i) {
            line += text[i] == '\n';
        }
    };
    while (i < text.size()) {
        char const c = text[i];
        if (c == '#' || text.substr(i, 2) == "//") {
            skip_to("\n");
        } else if (text.substr(i, 2) == "/*") {
            i += 2;
            skip_to("*/");
        } else if (c == '"') {
            for (++i; i < text.size() && text[i] != '"'; ++i) {
                line += text[i] == '\n';
                i += text[i] == '\\';
            }
            ++i;
        } else if (word(c)) {
            auto const start = i;
            while (i < text.size() && word(text[i])) {
                ++i;
            }
            auto digits = text.substr(start, i - start);
            bool const hex = digits.starts_with("0x") || digits.starts_with("0X");
            digits.remove_prefix(hex ? 2 : digits.starts_with('-') ? 1 : 0);
            auto const* const figures = hex ? "0123456789abcdefABCDEF" : "0123456789";
            auto const length = std::min(digits.find_first_not_of(figures), digits.size());
            digits =
                digits.substr(0, length).substr(std::min(digits.find_first_not_of('0'), length));
            // 999,999,999 and 0x7fffffff are enough for every setting.
            if (length > 0 && digits.size() > (hex ? 7U : 9U) &&
                text.substr(start, i - start).find('.') == std::string_view::npos) {
                return line;
            }
        } else {
            line += c == '\n';
            ++i;
        }
    }
    return std::nullopt;
}

std::string slurp(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

Result<Node> check_numbers(Node root, const std::string& text, const std::string& name) {
    std::set<std::string> files;
    files_of(root, files);
    files.insert(name);
    for (auto const& file : files) {
        auto const line = oversized_number(file == name ? text : slurp(file));
        if (line) {
            return failure(
                Fault::invalid,
                fmt::format("{}:{}: the number is too large; sizes and times are strings "
                            "with a unit, such as \"64M\" or \"15m\"",
                            file,
                            *line));
        }
    }
    return root;
}

}  // namespace

std::string Node::place() const {
    return fmt::format("{}:{}: ", file, line);
}

Result<Node> read_document(const std::string& text, const std::string& name) {
    if (text.size() > text_size_max) {
        return failure(Fault::invalid, fmt::format("{}: the file is larger than 1 MiB", name));
    }
    if (auto const nul = text.find('\0'); nul != std::string::npos) {
        auto const line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(nul), '\n');
        return failure(Fault::invalid,
                       fmt::format("{}:{}: a NUL byte: this is not a text file", name, line));
    }
    try {
        libconfig::Config config;
        auto const folder = std::filesystem::path(name).parent_path().string();
        if (!folder.empty()) {
            config.setIncludeDir(folder.c_str());
        }
        config.readString(text);
        return check_numbers(convert(config.getRoot(), name, 0), text, name);
    } catch (const libconfig::ParseException& e) {
        return failure(
            Fault::invalid,
            fmt::format("{}:{}: {}", source(e.getFile(), name), e.getLine(), e.getError()));
    } catch (const libconfig::ConfigException& e) {
        return failure(Fault::invalid, fmt::format("{}: {}", name, e.what()));
    } catch (const Depth&) {
        return failure(Fault::invalid,
                       fmt::format("{}: groups are nested more than {} deep", name, depth_max));
    }
}

}  // namespace millrace::config
