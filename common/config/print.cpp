#include <fmt/format.h>

#include "common/config/load.hpp"
#include "common/config/outline.hpp"
#include "common/config/table.hpp"

namespace millrace::config {
namespace {

class Printer final : public Outline {
  public:
    std::string text() && { return std::move(out_); }

  private:
    void open(const std::string& name, unsigned depth) override {
        out_ += fmt::format("{:{}}{} = {{\n", "", depth * 4, name);
    }
    void close(unsigned depth) override { out_ += fmt::format("{:{}}}};\n", "", depth * 4); }

    void setting(const Setting& setting, const std::string& name, unsigned depth) override {
        if (!setting.items) {
            out_ += fmt::format("{:{}}{} = {};\n", "", depth * 4, name, setting.print());
            return;
        }
        out_ += fmt::format("{:{}}{} = (", "", depth * 4, name);
        for (std::size_t i = 0; i < setting.items->size(); ++i) {
            out_ += i == 0 ? "\n" : ",\n";
            out_ += fmt::format("{:{}}{{", "", (depth + 1) * 4);
            for (auto const& line : setting.items->element(i)) {
                out_ += fmt::format(" {} = {};", line.name, line.print());
            }
            out_ += " }";
        }
        out_ += " );\n";
    }

    std::string out_;
};

}  // namespace

std::string print(const Settings& settings) {
    Settings copy = settings;  // the table binds to values that may be changed
    Printer printer;
    printer.walk(table(copy));
    return std::move(printer).text();
}

}  // namespace millrace::config
