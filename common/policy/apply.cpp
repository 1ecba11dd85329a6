#include <algorithm>
#include <unordered_map>

#include "common/mail/domain.hpp"
#include "common/policy/edit_plan.hpp"
#include "common/policy/gate.hpp"

namespace millrace::policy {

EditPlan plan_edits(std::span<const mail::HeaderField> fields, std::span<const Edit> edits) {
    EditPlan plan;
    plan.fields.assign(fields.size(), nullptr);
    std::unordered_map<std::string, std::vector<std::size_t>> positions;
    const bool by_number = std::ranges::any_of(edits, [](const Edit& e) { return e.nth > 0; });
    if (by_number) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            positions[mail::lower(fields[i].name)].push_back(i);
        }
    }
    for (const Edit& edit : edits) {
        switch (edit.kind) {
            case Edit::Kind::append:
                plan.append.push_back(&edit);
                break;
            case Edit::Kind::insert_top:
                plan.top.insert(plan.top.begin(), &edit);
                break;
            case Edit::Kind::replace:
            case Edit::Kind::remove: {
                const auto found = positions.find(mail::lower(edit.name));
                if (found == positions.end() || edit.nth > found->second.size()) break;
                if (edit.nth > 0) plan.fields[found->second[edit.nth - 1]] = &edit;
                break;
            }
        }
    }
    return plan;
}

std::vector<mail::OwnedField> apply(std::span<const mail::HeaderField> fields,
                                    std::span<const Edit> edits) {
    const EditPlan plan = plan_edits(fields, edits);
    std::vector<mail::OwnedField> result;
    result.reserve(fields.size() + edits.size());
    for (const Edit* edit : plan.top) {
        result.push_back({edit->name, edit->value});
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const Edit* edit = plan.fields[i];
        if (edit == nullptr) {
            result.push_back({std::string(fields[i].name), std::string(fields[i].value)});
        } else if (edit->kind == Edit::Kind::replace) {
            result.push_back({std::string(fields[i].name), edit->value});
        }
    }
    for (const Edit* edit : plan.append) {
        result.push_back({edit->name, edit->value});
    }
    return result;
}

}  // namespace millrace::policy
