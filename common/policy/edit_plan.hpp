#pragma once

#include <span>
#include <vector>

#include "common/policy/gate.hpp"

namespace millrace::policy {

/// Which edit falls on which field. Edits that name a field that is not there do nothing; the last
/// of several for one field counts. Points into the edits. Linear.
struct EditPlan {
    std::vector<const Edit*> top;     ///< insert_top, in the order in which they will stand
    std::vector<const Edit*> fields;  ///< one per field: replace, remove or nullptr
    std::vector<const Edit*> append;
};
EditPlan plan_edits(std::span<const mail::HeaderField> fields, std::span<const Edit> edits);

}  // namespace millrace::policy
