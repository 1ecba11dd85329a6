// What the precompiled header of GoogleTest belongs to (Rooms.cmake, millrace_gtest).
#include <gtest/gtest.h>
