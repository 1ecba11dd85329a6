#include "common/policy/checks.hpp"

namespace millrace::policy {

bool check_size(Desk& desk) {
    bool fits = true;
    const Settings& settings = desk.settings;
    std::size_t block = 0;
    std::size_t count = 0;
    const auto report = [&](std::string detail, std::string reply, std::size_t limit) {
        fits = false;
        reply += " (limit " + std::to_string(limit) + ")";
        desk.findings.fault(Check::too_large, std::move(detail), reply, Findings::Remedy::none);
    };
    for (std::size_t i = 0; i < desk.draft.size(); ++i) {
        if (desk.draft.removed(i)) continue;
        const std::size_t size = desk.draft.scan(i).wire_size;
        block += size;
        ++count;
        if (size > settings.field_size_max) {
            const std::string name = shown_name(desk.draft.name(i));
            report(name + " too large", "Header field too large: " + name, settings.field_size_max);
        }
    }
    if (block > settings.block_size_max) {
        report("header block too large", "Header block too large", settings.block_size_max);
    }
    if (count > settings.field_count_max) {
        report("too many header fields", "Too many header fields", settings.field_count_max);
    }
    return fits;
}

}  // namespace millrace::policy
