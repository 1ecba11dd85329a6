#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/field_name.hpp"
#include "common/policy/gate.hpp"
#include "common/policy/value_scan.hpp"

namespace millrace::policy {

/// The header block while the gate works on it: each check sees what the checks before it have
/// made, and the edits are read off at the end. The message's own bytes are never copied unless a
/// field changes.
class Draft {
  public:
    explicit Draft(std::span<const mail::HeaderField> fields);

    std::size_t size() const { return entries_.size(); }
    /// Positions of the fields of that name that are not removed, in order.
    std::vector<std::size_t> positions(FieldName name) const;
    /// How many there are.
    std::size_t count(FieldName name) const;
    /// The first one's position; npos when there is none.
    std::size_t first(FieldName name) const;
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);

    std::string_view name(std::size_t position) const { return entries_[position].name; }
    /// Holds until the next change of the draft.
    std::string_view value(std::size_t position) const;
    FieldTraits traits(std::size_t position) const { return entries_[position].traits; }
    bool removed(std::size_t position) const { return entries_[position].state == State::removed; }
    const ValueScan& scan(std::size_t position) const { return entries_[position].scan; }

    /// Whether a value can be folded into lines of 998 octets.
    bool fits(std::size_t position, std::string_view value) const;
    /// Puts a value in place of the field's own, brought to the form of Edit::value. One that only
    /// repeats what is there changes nothing, nor does one that does not fit.
    void replace(std::size_t position, std::string_view value);
    void remove(std::size_t position);
    /// Adds a field at the end. The name's bytes are not copied: a literal.
    void append(std::string_view name, std::string_view value);

    /// Replacements in order, removals from the last to the first, additions in order: a milter may
    /// carry them out one after the other.
    std::vector<Edit> edits() const;

  private:
    enum class State : std::uint8_t { original, changed, removed, added };
    struct Entry {
        std::string_view name;
        std::string_view original;
        std::string current;  ///< once changed or added
        FieldTraits traits;
        State state = State::original;
        ValueScan scan;
    };

    std::vector<Entry> entries_;
    std::array<std::size_t, field_names> first_;  ///< of any state; npos
    std::array<std::size_t, field_names> count_;  ///< not removed
};

}  // namespace millrace::policy
