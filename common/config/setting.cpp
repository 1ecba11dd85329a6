#include "common/config/setting.hpp"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/config/load.hpp"
#include "common/config/nearest.hpp"

namespace millrace::config {
namespace {

std::string quoted_list(const std::vector<std::string>& texts) {
    std::vector<std::string> quoted;
    for (auto const& text : texts) {
        quoted.push_back(quote(text));
    }
    return quoted.empty() ? "[ ]" : fmt::format("[ {} ]", fmt::join(quoted, ", "));
}

/// The strings of a list; a single string stands for a list of one.
std::optional<std::vector<std::string>> strings(const Node& node) {
    if (node.kind == Node::Kind::text) {
        return std::vector{node.text};
    }
    if (node.kind != Node::Kind::list) {
        return std::nullopt;
    }
    std::vector<std::string> texts;
    for (auto const& child : node.children) {
        if (child.kind != Node::Kind::text) {
            return std::nullopt;
        }
        texts.push_back(child.text);
    }
    return texts;
}

Objection read_duration(std::string_view text,
                        std::pair<Duration, Duration> bounds,
                        const std::string& allowed,
                        Duration& value) {
    auto const parsed = parse_duration(text);
    if (!parsed) {
        return parsed.error().detail;
    }
    if (*parsed < bounds.first || *parsed > bounds.second) {
        return fmt::format("{} is out of bounds: allowed is {}", quote(text), allowed);
    }
    value = *parsed;
    return std::nullopt;
}

std::string print_real(double value) {
    auto text = fmt::format("{}", value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

}  // namespace

std::string quote(std::string_view text) {
    std::string out = "\"";
    for (char const c : text) {
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
    return out + '"';
}

Setting Table::start(std::string name, std::string kind, std::string bounds, Text text) {
    Setting setting;
    setting.name = std::move(name);
    setting.kind = std::move(kind);
    setting.bounds = std::move(bounds);
    setting.sentence = std::move(text.sentence);
    setting.when = std::move(text.when);
    setting.shown = std::move(text.shown);
    return setting;
}

void Table::text(std::string name, std::string& value, Form form, Text text) {
    auto setting = start(std::move(name), form.what, {}, std::move(text));
    setting.read = [&value, form](const Node& node) -> Objection {
        if (node.kind != Node::Kind::text) {
            return fmt::format("expected {} in double quotes", form.what);
        }
        if (!node.text.empty() && form.check != nullptr) {
            if (auto objection = form.check(node.text)) {
                return objection;
            }
        }
        value = node.text;
        return std::nullopt;
    };
    setting.print = [&value] {
        return quote(value);
    };
    lines_.push_back(std::move(setting));
}

void Table::texts(std::string name, std::vector<std::string>& value, Form form, Text text) {
    parsed(
        std::move(name),
        form.what,
        [&value, form](const std::vector<std::string>& texts) -> Objection {
            for (auto const& one : texts) {
                if (form.check == nullptr) continue;
                if (auto objection = form.check(one)) {
                    return objection;
                }
            }
            value = texts;
            return std::nullopt;
        },
        [&value] { return value; },
        std::move(text));
}

void Table::parsed(std::string name,
                   std::string what,
                   std::function<Objection(const std::vector<std::string>&)> set,
                   std::function<std::vector<std::string>()> get,
                   Text text) {
    auto setting = start(std::move(name), "list of " + what, {}, std::move(text));
    setting.read = [set = std::move(set), what](const Node& node) -> Objection {
        auto const texts = strings(node);
        if (!texts) {
            return fmt::format("expected a list of {}, such as [ \"…\", \"…\" ]", what);
        }
        return set(*texts);
    };
    setting.print = [get = std::move(get)] {
        return quoted_list(get());
    };
    lines_.push_back(std::move(setting));
}

template <class T>
void Table::whole(std::string name, T& value, std::pair<unsigned, unsigned> bounds, Text text) {
    auto setting = start(std::move(name),
                         "number",
                         fmt::format("{} to {}", bounds.first, bounds.second),
                         std::move(text));
    setting.read = [&value, bounds, allowed = setting.bounds](const Node& node) -> Objection {
        if (node.kind != Node::Kind::number) {
            return "expected a whole number without quotes, " + allowed;
        }
        if (node.number < bounds.first || node.number > bounds.second) {
            return fmt::format("{} is out of bounds: allowed is {}", node.number, allowed);
        }
        value = static_cast<T>(node.number);
        return std::nullopt;
    };
    setting.print = [&value] {
        return fmt::format("{}", value);
    };
    lines_.push_back(std::move(setting));
}

void Table::number(std::string name,
                   unsigned& value,
                   std::pair<unsigned, unsigned> bounds,
                   Text text) {
    whole(std::move(name), value, bounds, std::move(text));
}

void Table::number(std::string name,
                   std::uint16_t& value,
                   std::pair<unsigned, unsigned> bounds,
                   Text text) {
    whole(std::move(name), value, bounds, std::move(text));
}

void Table::number(std::string name,
                   std::size_t& value,
                   std::pair<unsigned, unsigned> bounds,
                   Text text) {
    whole(std::move(name), value, bounds, std::move(text));
}

void Table::real(std::string name, double& value, std::pair<double, double> bounds, Text text) {
    auto setting = start(std::move(name),
                         "number, may have a fraction",
                         fmt::format("{} to {}", bounds.first, bounds.second),
                         std::move(text));
    setting.read = [&value, bounds, allowed = setting.bounds](const Node& node) -> Objection {
        if (node.kind != Node::Kind::real && node.kind != Node::Kind::number) {
            return "expected a number without quotes, " + allowed;
        }
        auto const given =
            node.kind == Node::Kind::real ? node.real : static_cast<double>(node.number);
        if (!(given >= bounds.first && given <= bounds.second)) {
            return fmt::format("{} is out of bounds: allowed is {}", given, allowed);
        }
        value = std::abs(given);  // -0.0 is in bounds
        return std::nullopt;
    };
    setting.print = [&value] {
        return print_real(value);
    };
    lines_.push_back(std::move(setting));
}

void Table::yes_no(std::string name, bool& value, Text text) {
    auto setting = start(std::move(name), "true or false", {}, std::move(text));
    setting.read = [&value](const Node& node) -> Objection {
        if (node.kind != Node::Kind::yes_no) {
            return "expected true or false, without quotes";
        }
        value = node.truth;
        return std::nullopt;
    };
    setting.print = [&value] {
        return value ? "true" : "false";
    };
    lines_.push_back(std::move(setting));
}

void Table::duration(std::string name,
                     Duration& value,
                     std::pair<Duration, Duration> bounds,
                     Text text) {
    auto setting =
        start(std::move(name),
              "time",
              fmt::format("{} to {}", print_duration(bounds.first), print_duration(bounds.second)),
              std::move(text));
    setting.read = [&value, bounds, allowed = setting.bounds](const Node& node) -> Objection {
        if (node.kind != Node::Kind::text) {
            return "expected a time with a unit in double quotes, such as \"15m\"";
        }
        return read_duration(node.text, bounds, allowed, value);
    };
    setting.print = [&value] {
        return quote(print_duration(value));
    };
    lines_.push_back(std::move(setting));
}

void Table::durations(std::string name,
                      std::vector<Duration>& value,
                      std::pair<Duration, Duration> bounds,
                      Text text) {
    auto const allowed =
        fmt::format("{} to {}", print_duration(bounds.first), print_duration(bounds.second));
    parsed(
        std::move(name),
        "times",
        [&value, bounds, allowed](const std::vector<std::string>& texts) -> Objection {
            std::vector<Duration> given(texts.size());
            if (texts.empty() || texts.size() > 50) {
                return "expected 1 to 50 times";
            }
            for (std::size_t i = 0; i < texts.size(); ++i) {
                if (auto objection = read_duration(texts[i], bounds, allowed, given[i])) {
                    return objection;
                }
            }
            value = std::move(given);
            return std::nullopt;
        },
        [&value] {
            std::vector<std::string> texts;
            for (auto const d : value) {
                texts.push_back(print_duration(d));
            }
            return texts;
        },
        std::move(text));
    lines_.back().bounds = "1 to 50 of " + allowed;
}

void Table::size(std::string name,
                 std::uint64_t& value,
                 std::pair<std::uint64_t, std::uint64_t> bounds,
                 Text text) {
    auto setting =
        start(std::move(name),
              "size",
              fmt::format("{} to {}", print_size(bounds.first), print_size(bounds.second)),
              std::move(text));
    setting.read = [&value, bounds, allowed = setting.bounds](const Node& node) -> Objection {
        if (node.kind != Node::Kind::text) {
            return "expected a size with a unit in double quotes, such as \"64M\"";
        }
        auto const parsed = parse_size(node.text);
        if (!parsed) {
            return parsed.error().detail;
        }
        if (*parsed < bounds.first || *parsed > bounds.second) {
            return fmt::format("{} is out of bounds: allowed is {}", quote(node.text), allowed);
        }
        value = *parsed;
        return std::nullopt;
    };
    setting.print = [&value] {
        return quote(print_size(value));
    };
    lines_.push_back(std::move(setting));
}

void Table::word(std::string name,
                 std::vector<std::string> words,
                 std::function<void(std::size_t)> set,
                 std::function<std::size_t()> get,
                 Text text) {
    auto const allowed = fmt::format("\"{}\"", fmt::join(words, "\", \""));
    auto setting = start(std::move(name), "one of " + allowed, {}, std::move(text));
    setting.read = [set = std::move(set), words, allowed](const Node& node) -> Objection {
        if (node.kind == Node::Kind::text) {
            for (std::size_t i = 0; i < words.size(); ++i) {
                if (words[i] == node.text) {
                    set(i);
                    return std::nullopt;
                }
            }
            auto const meant = nearest(node.text, words);
            return fmt::format("{} is not one of {}{}",
                               quote(node.text),
                               allowed,
                               meant.empty() ? "" : "; did you mean " + quote(meant) + "?");
        }
        return "expected one of " + allowed;
    };
    setting.print = [get = std::move(get), words] {
        return quote(words[get()]);
    };
    lines_.push_back(std::move(setting));
}

}  // namespace millrace::config
