#pragma once

#include <set>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

/// What the files of an export say. Pure.
namespace millrace::relay {

/// The relay's answer to `fetch` as bytes again: each character U+0000 to U+00FF is one. Anything
/// else is left out.
std::string bytes_of(std::string_view text);

/// A word that a shell takes as it is.
std::string shell_quoted(std::string_view word);

/// ID.json: the envelope as the relay told it; every recipient with `selected` and `removed`; the
/// command that hands the selected ones in again.
std::string envelope_file(const boost::json::object& envelope,
                          const std::set<std::uint64_t>& selected,
                          const std::set<std::uint64_t>& removed);

/// The README of an export.
std::string_view export_readme();

}  // namespace millrace::relay
