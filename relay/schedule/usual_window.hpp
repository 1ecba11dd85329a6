#pragma once

#include "common/base/time.hpp"

/// The spans in which receivers count: a minute, an hour, a day and what lies between. Pure.
namespace millrace::relay {

/// The window that a span between two openings is a multiple of – of small ones, of few; zero:
/// none.
Duration window_of(Duration span);

/// A rest of a quarter to five quarters of this one that ends just after a window of the receiver's
/// may end: one by the clock, or one that began at `began`; of several the longest window, none
/// shorter than it was closed for already. `rest`: there is none.
Duration rest_to_a_turn(Duration rest, Time now, Time began, Duration closed);

}  // namespace millrace::relay
