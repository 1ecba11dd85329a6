#pragma once

#include <string>

#include "common/policy/draft.hpp"
#include "common/policy/findings.hpp"
#include "common/policy/gate.hpp"

/// The checks of the gate, in the order in which evaluate runs them. Each looks at the draft as the
/// checks before it left it.
namespace millrace::policy {

/// What every check sees.
struct Desk {
    const Envelope& envelope;
    const Settings& settings;
    const Invention& invention;
    Draft& draft;
    Findings& findings;
};

/// H31. Whether the block as it is now keeps every limit.
bool check_size(Desk& desk);
/// H01–H03.
void check_required(Desk& desk);
/// H10: before anything is said about what the fields hold.
void check_from_repeated(Desk& desk);
/// Subject and the other unstructured fields: H30, H32, H33 and what is wrong with encoded-words.
void check_text(Desk& desk);
/// H30, H32, H35 of all other fields.
void check_structured(Desk& desk);
/// H30 of one field whose words must stay as they are.
void check_long_line(Desk& desk, std::size_t position);
/// From, Sender and the lists: H20–H25, H30, H32–H34.
void check_addresses(Desk& desk);
/// H04, H26, and two-digit years (H25).
void check_date(Desk& desk);
/// H05, H27.
void check_message_id(Desk& desk);
/// H11–H13: after the repairs of single fields, which may make two alike.
void check_repeated(Desk& desk);
/// H06.
void check_mime(Desk& desk);
/// H50. Returns the tag to be recorded.
std::string check_tag(Desk& desk);
/// The Sender rule (milter.md §5.2).
void check_sender(Desk& desk);

/// Adds the field's value under another name, as free text, before it is replaced. Nothing for an
/// empty one.
void keep_original(Desk& desk, std::size_t position, std::string_view name);

/// List-Unsubscribe, List-Id, or a Precedence of bulk, list or junk.
bool is_bulk(const Draft& draft);

}  // namespace millrace::policy
