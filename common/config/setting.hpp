#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.hpp"
#include "common/config/document.hpp"

namespace millrace::config {

/// What is wrong with a value, as the end of a sentence that starts with the setting's name; no
/// value when nothing is.
using Objection = std::optional<std::string>;

struct Setting;

/// The elements of a list of groups: each is a small table of its own.
struct Items {
    std::function<std::size_t()> size;
    std::function<void(std::size_t)> resize;                   ///< new elements hold the defaults
    std::function<std::vector<Setting>(std::size_t)> element;  ///< bound to the element
};

/// One line of the table, bound to the value it stands for.
struct Setting {
    std::string name;      ///< dotted, from the root of the file or of the list element
    std::string kind;      ///< for the reference page: `size`, `one of "may", "none"`, …
    std::string bounds;    ///< for the reference page and for messages; may be empty
    std::string sentence;  ///< what it is
    std::string when;      ///< when an operator changes it; empty when that is plain
    std::string shown;     ///< default as it is shown when it is computed, in words; may be empty
    std::function<Objection(const Node&)> read;
    std::function<std::string()> print;  ///< the value in libconfig syntax; unused for items
    std::optional<Items> items;
};

/// `read` of a text setting looks at the value with one of these; `what` names the form in the
/// reference page.
struct Form {
    std::string what;
    Objection (*check)(std::string_view) = nullptr;
};

/// The words beside a value.
struct Text {
    std::string sentence;
    std::string when = {};
    std::string shown = {};
};

/// Collects the lines of a table. Every method takes the name, the place of the value, its bounds
/// and its documentation.
class Table {
  public:
    void text(std::string name, std::string& value, Form form, Text text);
    void texts(std::string name, std::vector<std::string>& value, Form form, Text text);
    void number(std::string name, unsigned& value, std::pair<unsigned, unsigned> bounds, Text text);
    void number(std::string name,
                std::uint16_t& value,
                std::pair<unsigned, unsigned> bounds,
                Text text);
    void number(std::string name,
                std::size_t& value,
                std::pair<unsigned, unsigned> bounds,
                Text text);
    void real(std::string name, double& value, std::pair<double, double> bounds, Text text);
    void yes_no(std::string name, bool& value, Text text);
    void duration(std::string name,
                  Duration& value,
                  std::pair<Duration, Duration> bounds,
                  Text text);
    void durations(std::string name,
                   std::vector<Duration>& value,
                   std::pair<Duration, Duration> bounds,
                   Text text);
    void size(std::string name,
              std::uint64_t& value,
              std::pair<std::uint64_t, std::uint64_t> bounds,
              Text text);

    /// One of a few words.
    template <class T>
    void choice(std::string name,
                T& value,
                std::initializer_list<std::pair<std::string_view, T>> words,
                Text text) {
        std::vector<std::pair<std::string, T>> table(words.begin(), words.end());
        std::vector<std::string> names;
        for (auto const& [word, meaning] : table) {
            names.push_back(word);
        }
        word(
            std::move(name),
            std::move(names),
            [&value, table](std::size_t i) { value = table[i].second; },
            [&value, table]() -> std::size_t {
                std::size_t i = 0;
                while (i + 1 < table.size() && table[i].second != value) {
                    ++i;
                }
                return i;
            },
            std::move(text));
    }

    /// The general form of choice: set and get by the position of the word.
    void word(std::string name,
              std::vector<std::string> words,
              std::function<void(std::size_t)> set,
              std::function<std::size_t()> get,
              Text text);

    /// A list of texts that stand for something else.
    void parsed(std::string name,
                std::string what,
                std::function<Objection(const std::vector<std::string>&)> set,
                std::function<std::vector<std::string>()> get,
                Text text);

    /// A list of groups.
    template <class T>
    void groups(std::string name, std::vector<T>& value, void (*describe)(Table&, T&), Text text) {
        Setting setting = start(std::move(name), "list of groups", {}, std::move(text));
        setting.items = Items{[&value] { return value.size(); },
                              [&value](std::size_t n) { value.assign(n, T{}); },
                              [&value, describe](std::size_t i) {
                                  Table table;
                                  describe(table, value[i]);
                                  return std::move(table).lines();
                              }};
        lines_.push_back(std::move(setting));
    }

    std::vector<Setting> lines() && { return std::move(lines_); }

  private:
    static Setting start(std::string name, std::string kind, std::string bounds, Text text);
    template <class T>
    void whole(std::string name, T& value, std::pair<unsigned, unsigned> bounds, Text text);

    std::vector<Setting> lines_;
};

/// A libconfig string literal.
std::string quote(std::string_view text);

}  // namespace millrace::config
