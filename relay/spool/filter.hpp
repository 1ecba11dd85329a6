#pragma once

#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// Whether the filter asks for something that only the envelope knows.
bool needs_envelope(const WorkFilter& filter);
/// The part of the filter that the work itself answers.
bool matches(const WorkFilter& filter, const Work& work);
/// The part that needs the envelope.
bool matches(const WorkFilter& filter, const Envelope& envelope);

}  // namespace millrace::relay
