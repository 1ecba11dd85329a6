#include "milter/edit_plan.hpp"

#include <algorithm>

namespace millrace::milter {
namespace {

using Kind = policy::Edit::Kind;

/// An empty value would delete the field, on both MTAs.
std::string kept(const std::string& value) {
    return value.empty() ? " " : value;
}

bool fits_the_protocol(const std::string& value) {
    return value.find('\r') == std::string::npos && value.find('\0') == std::string::npos;
}

Result<void> check(const policy::Edit& edit, std::span<const mail::HeaderField> fields) {
    const bool addresses_a_field = edit.kind == Kind::replace || edit.kind == Kind::remove;
    if (addresses_a_field && (edit.nth == 0 || edit.nth > mail::count_fields(fields, edit.name))) {
        return failure(Fault::invalid,
                       "an edit points to field " + std::to_string(edit.nth) + " of " + edit.name +
                           ", which is not there");
    }
    if (!fits_the_protocol(edit.value)) {
        return failure(Fault::invalid, "an edit of " + edit.name + " holds a CR or a NUL");
    }
    return {};
}

}  // namespace

Result<std::vector<Operation>> plan_edits(std::span<const policy::Edit> edits,
                                          std::span<const mail::HeaderField> fields) {
    std::vector<Operation> plan;
    plan.reserve(edits.size());
    std::vector<Operation> deletions;
    std::vector<Operation> tops;
    std::vector<Operation> additions;
    for (const policy::Edit& edit : edits) {
        if (auto sound = check(edit, fields); !sound) {
            return std::unexpected(sound.error());
        }
        const int nth = static_cast<int>(edit.nth);
        switch (edit.kind) {
            case Kind::replace:
                plan.push_back({Operation::Kind::change, edit.name, kept(edit.value), nth});
                break;
            case Kind::remove:
                deletions.push_back({Operation::Kind::change, edit.name, "", nth});
                break;
            case Kind::insert_top:
                tops.push_back({Operation::Kind::insert, edit.name, kept(edit.value), 0});
                break;
            case Kind::append: {
                const bool added_before = std::ranges::any_of(additions, [&](const Operation& o) {
                    return mail::same_name(o.name, edit.name);
                });
                const bool namesake =
                    added_before || mail::find_field(fields, edit.name) != nullptr;
                additions.push_back({namesake ? Operation::Kind::insert : Operation::Kind::add,
                                     edit.name,
                                     kept(edit.value),
                                     namesake ? end_of_block : 0});
                break;
            }
        }
    }
    std::ranges::sort(deletions, std::ranges::greater{}, &Operation::index);
    for (auto* part : {&deletions, &tops, &additions}) {
        std::ranges::move(*part, std::back_inserter(plan));
    }
    return plan;
}

}  // namespace millrace::milter
