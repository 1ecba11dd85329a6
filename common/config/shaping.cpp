#include "common/config/shaping.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <glob.h>
#include <iterator>
#include <sstream>

#include "common/config/form.hpp"
#include "common/config/load.hpp"
#include "common/config/setting.hpp"

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::size_t rules_max = 4'096;  // in one file; the shipped ones have some hundred
constexpr std::size_t files_max = 256;

std::unexpected<Failure> objection(const Node& node, const std::string& text) {
    return failure(Fault::invalid, node.place() + text);
}

/// A value whose absence means something, read through a line of a table.
template <class T>
struct Maybe {
    T value{};
    bool given = false;
    std::optional<T> get() const { return given ? std::optional(value) : std::nullopt; }
};

std::vector<Setting> noting(Table table, std::vector<std::pair<std::string, bool*>> given) {
    auto lines = std::move(table).lines();
    for (auto& line : lines) {
        for (auto const& [name, flag] : given) {
            if (line.name != name) continue;
            line.read = [read = std::move(line.read), flag](const Node& node) {
                *flag = true;
                return read(node);
            };
        }
    }
    return lines;
}

Result<ReplyRule> read_reply(const Node& node) {
    if (node.kind != Node::Kind::group) {
        return objection(node, "replies: expected a list of groups: ( { says = …; }, { … } )");
    }
    ReplyRule rule;
    rule.place = {node.file, node.line};
    Maybe<Duration> pause;
    Maybe<bool> escalate;
    Table t;
    t.texts("says", rule.says, Form{"texts"}, {});
    t.text("code", rule.code, Form{"a code such as \"421\" or \"4xx\""}, {});
    t.text("enhanced", rule.enhanced, Form{"an enhanced code such as \"4.7.28\""}, {});
    t.text("type", rule.type, Form{"a type"}, {});
    t.text("axis", rule.axis, Form{"an axis"}, {});
    t.duration("pause", pause.value, {seconds(1), hours(24 * 7)}, {});
    t.yes_no("escalate", escalate.value, {});
    t.yes_no("defer", rule.defer, {});
    t.texts("example", rule.example, Form{"replies"}, {});
    auto const lines =
        noting(std::move(t), {{"pause", &pause.given}, {"escalate", &escalate.given}});
    if (auto read = read_settings(node, lines); !read) return std::unexpected(read.error());
    rule.pause = pause.get();
    rule.escalate = escalate.get();
    return rule;
}

Result<std::vector<ReplyRule>> read_replies(const Node& node) {
    if (node.kind != Node::Kind::list) {
        return objection(node, "replies: expected a list of groups: ( { says = …; }, { … } )");
    }
    if (node.children.size() > rules_max) {
        return objection(node, fmt::format("replies: more than {} rules", rules_max));
    }
    std::vector<ReplyRule> rules;
    for (auto const& child : node.children) {
        auto rule = read_reply(child);
        if (!rule) return std::unexpected(rule.error());
        rules.push_back(*std::move(rule));
    }
    return rules;
}

Result<ProviderRule> read_provider(const Node& node) {
    if (node.kind != Node::Kind::group) {
        return objection(node, "providers: expected a list of groups: ( { name = …; }, { … } )");
    }
    ProviderRule rule;
    rule.place = rule.match_place = rule.limits_place = {node.file, node.line};
    Maybe<unsigned> connections, per_connection, per_hour, per_day;
    Maybe<double> per_second, connections_per_second;
    Table t;
    t.text("name", rule.name, Form{"a name"}, {});
    t.texts("match.mx", rule.mx, Form{"host names"}, {});
    t.texts("match.domains", rule.domains, Form{"domains"}, {});
    t.texts("match.addresses", rule.addresses, Form{"networks"}, {});
    t.number("limits.connections", connections.value, {1, 10'000}, {});
    t.number("limits.messages_per_connection", per_connection.value, {1, 100'000}, {});
    t.real("limits.messages_per_second", per_second.value, {0.001, 100'000}, {});
    t.number("limits.messages_per_hour", per_hour.value, {1, 100'000'000}, {});
    t.number("limits.messages_per_day", per_day.value, {1, 100'000'000}, {});
    t.real("limits.connections_per_second", connections_per_second.value, {0.001, 10'000}, {});
    auto const lines = noting(std::move(t),
                              {{"limits.connections", &connections.given},
                               {"limits.messages_per_connection", &per_connection.given},
                               {"limits.messages_per_second", &per_second.given},
                               {"limits.messages_per_hour", &per_hour.given},
                               {"limits.messages_per_day", &per_day.given},
                               {"limits.connections_per_second", &connections_per_second.given}});
    Node plain = node;
    for (auto const& child : node.children) {
        if (child.name == "name") rule.place = {child.file, child.line};
        if (child.name == "match") rule.match_place = {child.file, child.line};
        if (child.name == "limits") rule.limits_place = {child.file, child.line};
        if (child.name != "replies") continue;
        auto replies = read_replies(child);
        if (!replies) return std::unexpected(replies.error());
        rule.replies = *std::move(replies);
    }
    std::erase_if(plain.children, [](const Node& child) { return child.name == "replies"; });
    if (auto read = read_settings(plain, lines); !read) return std::unexpected(read.error());
    rule.connections = connections.get();
    rule.messages_per_connection = per_connection.get();
    rule.messages_per_second = per_second.get();
    rule.messages_per_hour = per_hour.get();
    rule.messages_per_day = per_day.get();
    rule.connections_per_second = connections_per_second.get();
    return rule;
}

void append(ShapingRules& all, ShapingRules&& more) {
    std::ranges::move(more.providers, std::back_inserter(all.providers));
    std::ranges::move(more.replies, std::back_inserter(all.replies));
}

/// A folder that is not there has no files; one that cannot be read may have some.
int stop_unless_missing(const char*, int error) {
    return error == ENOENT ? 0 : 1;
}

/// The files one pattern stands for.
Result<std::vector<std::string>> files_of(const std::string& pattern) {
    glob_t found{};
    auto const status = ::glob(pattern.c_str(), 0, stop_unless_missing, &found);
    std::vector<std::string> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    bool const wild = pattern.find_first_of("*?[") != std::string::npos;
    if (status == GLOB_NOMATCH && !wild) files = {pattern};  // reading it says what is wrong
    if (status != 0 && status != GLOB_NOMATCH) {
        return failure(
            Fault::invalid,
            fmt::format("relay.shaping: {} cannot be looked up: {}",
                        pattern,
                        status == GLOB_ABORTED ? "a folder cannot be read" : "out of memory"));
    }
    return files;
}

}  // namespace

std::string Place::text() const {
    return fmt::format("{}:{}: ", file, line);
}

Result<ShapingRules> parse_shaping(const std::string& text, const std::string& name) {
    auto const document = read_document(text, name);
    if (!document) return std::unexpected(document.error());
    ShapingRules rules;
    for (auto const& node : document->children) {
        if (node.name == "replies") {
            auto replies = read_replies(node);
            if (!replies) return std::unexpected(replies.error());
            rules.replies = *std::move(replies);
        } else if (node.name == "providers") {
            if (node.kind != Node::Kind::list || node.children.size() > rules_max) {
                return objection(node,
                                 "providers: expected a list of groups: ( { name = …; }, { … } )");
            }
            for (auto const& child : node.children) {
                auto provider = read_provider(child);
                if (!provider) return std::unexpected(provider.error());
                rules.providers.push_back(*std::move(provider));
            }
        } else {
            return objection(node,
                             fmt::format("unknown setting {}: a rule file has providers = ( … ) "
                                         "and replies = ( … )",
                                         node.name));
        }
    }
    return rules;
}

Result<ShapingRules> load_shaping(const std::vector<std::string>& patterns) {
    ShapingRules rules;
    std::size_t read = 0;
    for (auto const& pattern : patterns) {
        auto const files = files_of(pattern);
        if (!files) return std::unexpected(files.error());
        for (auto const& file : *files) {
            if (++read > files_max) {
                return failure(Fault::invalid,
                               fmt::format("relay.shaping: more than {} files", files_max));
            }
            std::ifstream in(file, std::ios::binary);
            std::ostringstream text;
            if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
            if (in.bad() || (!in && text.str().empty() && !in.eof())) {
                return failure(
                    Fault::invalid,
                    fmt::format(
                        "relay.shaping: {} cannot be read: {}", file, std::strerror(errno)));
            }
            auto parsed = parse_shaping(text.str(), file);
            if (!parsed) return parsed;
            append(rules, *std::move(parsed));
        }
    }
    return rules;
}

}  // namespace millrace::config
