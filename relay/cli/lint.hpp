#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "common/policy/gate.hpp"

namespace millrace::relay {

struct LintOptions {
    bool apply = false;           ///< print only the mended message
    bool json = false;            ///< the report as one JSON object; wins over `apply`
    std::string mail_from;        ///< envelope sender; empty: the From address, else gate.sender
    policy::Invention invention;  ///< for fields that are added
};

/// `millrace lint`: what the gate would do with this message under these settings, whatever their
/// mode. The input's line ends are kept (LF files are legal here). With `apply` only the message
/// goes to `out`, mended or unchanged; a refusal leaves `out` empty and puts the reply on `err`.
/// Otherwise a report: verdict, defects, each edit before and after. Returns the exit code: 0
/// accepted, 1 refused.
int lint(std::string_view message,
         const policy::Settings& settings,
         const LintOptions& options,
         std::ostream& out,
         std::ostream& err);

}  // namespace millrace::relay
