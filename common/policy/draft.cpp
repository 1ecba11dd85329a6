#include "common/policy/draft.hpp"

#include <unordered_map>

#include "common/base/check.hpp"
#include "common/mail/domain.hpp"
#include "common/policy/refold.hpp"

namespace millrace::policy {

namespace {

std::size_t index_of(FieldName name) {
    return static_cast<std::size_t>(name);
}

}  // namespace

Draft::Draft(std::span<const mail::HeaderField> fields) {
    first_.fill(npos);
    count_.fill(0);
    entries_.reserve(fields.size() + 4);
    for (const mail::HeaderField& field : fields) {
        const FieldTraits traits = traits_of(field.name);
        const std::size_t kind = index_of(traits.name);
        if (first_[kind] == npos) first_[kind] = entries_.size();
        ++count_[kind];
        Entry& entry = entries_.emplace_back();
        entry.name = field.name;
        entry.original = field.value;
        entry.traits = traits;
        entry.scan = scan_value(field.name, field.value);
    }
}

std::vector<std::size_t> Draft::positions(FieldName name) const {
    std::vector<std::size_t> found;
    const std::size_t left = count(name);
    for (std::size_t i = first_[index_of(name)]; found.size() < left; ++i) {
        if (entries_[i].traits.name == name && !removed(i)) found.push_back(i);
    }
    return found;
}

std::size_t Draft::count(FieldName name) const {
    return count_[index_of(name)];
}

std::size_t Draft::first(FieldName name) const {
    if (count(name) == 0) return npos;
    std::size_t i = first_[index_of(name)];
    while (entries_[i].traits.name != name || removed(i))
        ++i;
    return i;
}

std::string_view Draft::value(std::size_t position) const {
    const Entry& entry = entries_[position];
    return entry.state == State::original ? entry.original : std::string_view(entry.current);
}

bool Draft::fits(std::size_t position, std::string_view value) const {
    const std::string_view name = entries_[position].name;
    return scan_value(name, fold_long_lines(canonical_value(value), name)).longest_line <= line_max;
}

void Draft::replace(std::size_t position, std::string_view value) {
    Entry& entry = entries_[position];
    MILLRACE_CHECK(entry.state != State::removed);
    std::string canonical = fold_long_lines(canonical_value(value), entry.name);
    const ValueScan scan = scan_value(entry.name, canonical);
    if (scan.longest_line > line_max) return;
    if (entry.state == State::original) {
        const bool clean = !entry.scan.has_control && entry.scan.longest_line <= line_max;
        if (clean && canonical == fold_long_lines(canonical_value(entry.original), entry.name)) {
            return;
        }
        entry.state = State::changed;
    }
    entry.current = std::move(canonical);
    entry.scan = scan;
}

void Draft::remove(std::size_t position) {
    Entry& entry = entries_[position];
    MILLRACE_CHECK(entry.state == State::original || entry.state == State::changed);
    entry.state = State::removed;
    --count_[index_of(entry.traits.name)];
}

void Draft::append(std::string_view name, std::string_view value) {
    const FieldTraits traits = traits_of(name);
    const std::size_t kind = index_of(traits.name);
    if (first_[kind] == npos) first_[kind] = entries_.size();
    ++count_[kind];
    Entry& entry = entries_.emplace_back();
    entry.name = name;
    entry.traits = traits;
    entry.state = State::added;
    entry.current = fold_long_lines(canonical_value(value), name);
    entry.scan = scan_value(name, entry.current);
}

std::vector<Edit> Draft::edits() const {
    std::vector<Edit> replacements;
    std::vector<Edit> removals;
    std::vector<Edit> additions;
    bool any = false;
    for (const Entry& entry : entries_) {
        any = any || entry.state != State::original;
    }
    if (!any) return {};
    std::unordered_map<std::string, unsigned> seen;
    for (const Entry& entry : entries_) {
        if (entry.state == State::added) {
            additions.push_back({Edit::Kind::append, std::string(entry.name), entry.current, 0});
            continue;
        }
        const unsigned nth = ++seen[mail::lower(entry.name)];
        if (entry.state == State::changed) {
            replacements.push_back(
                {Edit::Kind::replace, std::string(entry.name), entry.current, nth});
        } else if (entry.state == State::removed) {
            removals.push_back({Edit::Kind::remove, std::string(entry.name), {}, nth});
        }
    }
    std::vector<Edit> all = std::move(replacements);
    all.insert(all.end(), removals.rbegin(), removals.rend());
    all.insert(all.end(), additions.begin(), additions.end());
    return all;
}

}  // namespace millrace::policy
