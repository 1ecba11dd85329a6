#include "common/policy/findings.hpp"

#include <algorithm>

namespace millrace::policy {

bool Findings::fault(Check check, std::string detail, std::string_view reply, Remedy remedy) {
    const CheckRow& row = row_of(check);
    const Action chosen = settings_.action(check);
    if (chosen == Action::off) return false;
    defects_.push_back({code_of(check), std::move(detail)});
    Action action = chosen;
    if (chosen == Action::repair) {
        if (remedy == Remedy::possible) return may_edit();
        action = row.otherwise;
    }
    if (action == Action::reject) {
        std::string text(reply);
        text += "; ";
        text += row.advice;
        refuse(row.code, row.enhanced, text, code_of(check));
    }
    return false;
}

void Findings::remark(std::string_view word, std::string detail) {
    defects_.push_back({std::string(word), std::move(detail)});
}

void Findings::refuse(unsigned code,
                      std::string_view enhanced,
                      std::string_view reply,
                      std::string_view token) {
    if (manner_ == Manner::lenient || refused()) return;
    verdict_.kind = Verdict::Kind::reject;
    verdict_.code = code;
    verdict_.enhanced = enhanced;
    verdict_.text = reply;
    verdict_.text += " [MR-";
    verdict_.text += token;
    verdict_.text += ']';
}

std::string shown_name(std::string_view name) {
    const bool harmless =
        !name.empty() && name.size() <= 40 && std::ranges::all_of(name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-' || c == '_';
        });
    return harmless ? std::string(name) : "a header field";
}

}  // namespace millrace::policy
