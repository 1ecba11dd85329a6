#include <fmt/format.h>

#include "common/config/load.hpp"
#include "common/config/outline.hpp"
#include "common/config/table.hpp"

// Three pages for people, all from the table. Checked-in copies stand in contrib/; a test compares
// them.

namespace millrace::config {
namespace {

constexpr const char* origin = "common/config/table.cpp";

std::string joined(const std::vector<std::string>& parts) {
    std::string name;
    for (auto const& part : parts) {
        name += (name.empty() ? "" : ".") + part;
    }
    return name;
}

/// Lines of at most `width` columns, each behind `lead`.
std::string wrapped(std::string_view text, const std::string& lead, std::size_t width) {
    std::string out;
    std::string line;
    while (!text.empty()) {
        auto const word = text.substr(0, text.find(' '));
        if (!line.empty() && lead.size() + line.size() + 1 + word.size() > width) {
            out += lead + line + "\n";
            line.clear();
        }
        line += (line.empty() ? "" : " ") + std::string(word);
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return line.empty() ? out : out + lead + line + "\n";
}

std::string with_bounds(const Setting& setting) {
    return setting.bounds.empty() ? setting.kind
                                  : fmt::format("{}, {}", setting.kind, setting.bounds);
}

std::string default_of(const Setting& setting) {
    return setting.shown.empty() ? setting.print() : setting.shown;
}

/// The default elements of a list of groups, as an operator would write one.
std::vector<Setting> sample_element(const Setting& setting) {
    setting.items->resize(1);
    return setting.items->element(0);
}

class Example final : public Outline {
  public:
    std::string text = wrapped(
        "Millrace's configuration: every setting with its default. A line that starts with # is "
        "not "
        "in force; take the # away to change it. The file may be absent or empty. Sizes and times "
        "are strings with a unit (\"64M\", \"15m\"). After a change: millrace-relay --check, then "
        "systemctl reload millrace-relay. Generated from common/config/table.cpp.",
        "# ",
        88);

  private:
    void open(const std::string& name, unsigned depth) override {
        auto const lead = std::string(depth * 4, ' ');
        text += "\n" + wrapped(about_group(joined(path())), lead + "# ", 100);
        text += lead + name + " = {\n";
    }
    void close(unsigned depth) override { text += std::string(depth * 4, ' ') + "};\n"; }

    void comment(const Setting& setting, const std::string& lead) {
        text += wrapped(setting.sentence, lead + "# ", 100);
        if (!setting.when.empty()) {
            text += wrapped("Change it when " + setting.when + ".", lead + "# ", 100);
        }
    }

    void setting(const Setting& setting, const std::string& name, unsigned depth) override {
        auto const lead = std::string(depth * 4, ' ');
        if (setting.items) {
            comment(setting, lead);
            text += wrapped("Default: " + setting.shown + ".", lead + "# ", 100);
            text += lead + "#" + name + " = ( {\n";
            for (auto const& line : sample_element(setting)) {
                comment(line, lead + "#    ");
                text += wrapped("Allowed: " + with_bounds(line) + ".", lead + "#    # ", 100);
                if (!line.shown.empty()) {
                    text += wrapped("Default: " + line.shown + ".", lead + "#    # ", 100);
                }
                text += fmt::format("{}#    {} = {};\n", lead, line.name, line.print());
            }
            text += lead + "#} );\n";
            return;
        }
        // The checks are many and of one kind: a line each.
        bool const check = name.size() == 3 && name.starts_with('H');
        if (check) {
            text += fmt::format("{}# {}\n", lead, setting.sentence);
        } else {
            comment(setting, lead);
            text += wrapped("Allowed: " + with_bounds(setting) + ".", lead + "# ", 100);
        }
        if (!setting.shown.empty()) {
            text += wrapped("Default: " + setting.shown + ".", lead + "# ", 100);
        }
        text += fmt::format("{}#{} = {};\n", lead, name, setting.print());
    }
};

class Reference final : public Outline {
  public:
    std::string text = fmt::format(
        "# Settings of Millrace\n\n"
        "Every setting of `/etc/millrace/millrace.conf`, which all three programs read. The syntax "
        "is "
        "libconfig's: groups in braces, a semicolon after each value, `#` before comments, "
        "`@include \"file\"` for another file. Sizes and times are strings with a unit (`\"64M\"`, "
        "`\"15m\"`, `\"1h30m\"`). An absent or empty file means every default. An unknown setting, "
        "a "
        "wrong type or a value out of bounds is refused with file and line. `--check` on each "
        "program "
        "looks at the file, `--print-config` shows what is in force.\n\n"
        "This page is generated from `{}`.\n",
        origin);

  private:
    void open(const std::string&, unsigned) override {
        auto const name = joined(path());
        text += fmt::format(
            "\n{} {}\n\n{}\n", path().size() == 1 ? "##" : "###", name, about_group(name));
    }
    void close(unsigned) override {}

    void row(const Setting& setting, const std::string& name) {
        text += fmt::format("\n**`{}`** – {}", name, with_bounds(setting));
        if (!setting.items) {
            text += "; default " +
                    (setting.shown.empty() ? "`" + setting.print() + "`" : setting.shown);
        } else {
            text += "; default " + setting.shown;
        }
        text += fmt::format(".  \n{}", setting.sentence);
        text += setting.when.empty() ? "\n" : " *Change it when* " + setting.when + ".\n";
    }

    void setting(const Setting& setting, const std::string&, unsigned) override {
        row(setting, setting.name);
        if (setting.items) {
            for (auto const& line : sample_element(setting)) {
                row(line, setting.name + "." + line.name);
            }
        }
    }
};

std::string roff(std::string_view text) {
    std::string out;
    for (char const c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else if (c == '`') {
            out += '"';  // man pages have no code font that is seen everywhere
        } else {
            out += c;
        }
    }
    if (out.starts_with('.') || out.starts_with('\'')) {
        out.insert(0, "\\&");
    }
    return out;
}

class Manual final : public Outline {
  public:
    std::string text = fmt::format(
        ".\\\" Generated from {}.\n"
        ".TH MILLRACE.CONF 5 \"2026-11-24\" Millrace \"Millrace manual\"\n"
        ".SH NAME\nmillrace.conf \\- configuration of Millrace\n"
        ".SH SYNOPSIS\n.I /etc/millrace/millrace.conf\n"
        ".SH DESCRIPTION\n"
        "All three programs of Millrace read this one file. It may be absent or empty: every "
        "setting "
        "has a default. The syntax is that of libconfig: groups in braces, a semicolon after each "
        "value, # before comments, @include \"file\" for another file. Sizes and times are strings "
        "with a unit (\"64M\", \"15m\", \"1h30m\"). An unknown setting, a wrong type or a value "
        "out of "
        "bounds is refused with file and line.\n",
        origin);

  private:
    void open(const std::string&, unsigned) override {
        auto const name = joined(path());
        text += fmt::format(".SH {}\n{}\n", roff(name), roff(about_group(name)));
    }
    void close(unsigned) override {}

    void row(const Setting& setting, const std::string& name) {
        text += fmt::format(".TP\n.B {}\n{}\n", roff(name), roff(setting.sentence));
        if (!setting.when.empty()) {
            text += roff("Change it when " + setting.when + ".") + "\n";
        }
        text += fmt::format(".br\n{}\n",
                            roff(fmt::format("Allowed: {}. Default: {}.",
                                             with_bounds(setting),
                                             setting.items ? setting.shown : default_of(setting))));
    }

    void setting(const Setting& setting, const std::string&, unsigned) override {
        row(setting, setting.name);
        if (setting.items) {
            for (auto const& line : sample_element(setting)) {
                row(line, setting.name + "." + line.name);
            }
        }
    }
};

template <class Page>
std::string page() {
    Settings defaults;
    Page page;
    page.walk(table(defaults));
    return std::move(page.text);
}

}  // namespace

std::string example() {
    return page<Example>();
}

std::string reference() {
    return page<Reference>();
}

std::string manual_page() {
    return page<Manual>() +
           ".SH EXAMPLES\nMail through Postfix on this machine, everything by MX: an empty "
           "file.\n.PP\n"
           "Everything through an upstream smart host with a login:\n.PP\n.nf\n"
           "relay = {\n    routes = ( { domain = \"*\"; host = \"smtp.example.net\"; port = 587;\n"
           "                 tls = \"verify\"; user = \"me\";\n"
           "                 password_file = \"/etc/millrace/smarthost.pass\"; } );\n};\n.fi\n"
           ".SH SEE ALSO\n.BR millrace (1),\n.BR millrace\\-relay (8),\n.BR millrace\\-milter "
           "(8)\n";
}

}  // namespace millrace::config
