# Compiler, flags and helpers, in one place.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

set(MILLRACE_SANITIZE "" CACHE STRING "address,undefined (the fuzz targets are libFuzzer programs then) or thread")
if(MILLRACE_SANITIZE MATCHES address)
  set(MILLRACE_FUZZ ON)
endif()

# Most of what a file costs to compile are its headers. A folder that is built once and from nothing is done in a third of
# the time when eight files are compiled as one; for work on a few files it is the slower way. Packages are built without:
# there each file is known to stand alone, and to shadow nothing.
option(MILLRACE_BATCHES "compile eight files at a time" OFF)
set(CMAKE_UNITY_BUILD ${MILLRACE_BATCHES})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(MOLD mold)
find_program(LLD ld.lld-19)

# Compilers differ in one thing that would cost mail: whether a temporary in a co_await expression is destroyed
# once. g++ 12 destroys braced aggregates twice. The probe runs, so it needs to be native.
if(NOT DEFINED MILLRACE_COROUTINES_SOUND)
  try_run(probe_ran probe_compiled
    ${CMAKE_BINARY_DIR}/probe ${CMAKE_CURRENT_LIST_DIR}/coroutine_probe.cpp
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE probe_output)
  if(NOT probe_compiled OR NOT probe_ran EQUAL 0)
    message(FATAL_ERROR
      "This compiler (${CMAKE_CXX_COMPILER}) miscompiles co_await expressions or does not know C++23: a double "
      "free in exactly our kind of code. Use clang 19: apt-get install clang-19, then configure again in a new "
      "folder with -DCMAKE_CXX_COMPILER=clang++-19.\n${probe_output}")
  endif()
  set(MILLRACE_COROUTINES_SOUND TRUE CACHE INTERNAL "")
endif()

add_library(millrace_flags INTERFACE)
target_include_directories(millrace_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(millrace_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Wimplicit-fallthrough
  -Werror -fPIE -fvisibility=hidden -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
  -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks)
target_compile_definitions(millrace_flags INTERFACE
  _GLIBCXX_ASSERTIONS BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_options(millrace_flags INTERFACE
  -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,separate-code)
if(MOLD)
  target_link_options(millrace_flags INTERFACE -fuse-ld=${MOLD})
elseif(LLD)
  target_link_options(millrace_flags INTERFACE -fuse-ld=${LLD})
endif()
# By what another file of the batch calls its own.
target_compile_options(millrace_flags INTERFACE $<$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>:-Wno-shadow>)
if(MILLRACE_SANITIZE)
  target_compile_options(millrace_flags INTERFACE
    -fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(millrace_flags INTERFACE -fsanitize=${MILLRACE_SANITIZE})
else()
  target_compile_definitions(millrace_flags INTERFACE _FORTIFY_SOURCE=3)
endif()

# Asio is compiled once here, and its headers are precompiled once for every room that talks.
set(MILLRACE_ASIO_HEADERS
  <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/detached.hpp> <boost/asio/io_context.hpp>
  <boost/asio/use_awaitable.hpp> <boost/asio/this_coro.hpp> <boost/asio/post.hpp> <boost/asio/dispatch.hpp>
  <boost/asio/steady_timer.hpp> <boost/asio/ip/address.hpp> <boost/asio/associated_cancellation_slot.hpp>
  <algorithm> <chrono> <expected> <functional> <map> <memory> <optional> <span> <string> <string_view>
  <unordered_map> <vector>)
target_compile_options(millrace_flags INTERFACE -Xclang -fno-pch-timestamp)
add_library(millrace_asio STATIC ${CMAKE_CURRENT_LIST_DIR}/asio.cpp)
target_link_libraries(millrace_asio PUBLIC millrace_flags)
target_precompile_headers(millrace_asio PRIVATE ${MILLRACE_ASIO_HEADERS})
