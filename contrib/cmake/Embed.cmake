# millrace_embed(ROOM FOLDER): the .conf files of a folder as text in the program, so that it knows them without
# being installed. Their names in messages are those of the installed files.
function(millrace_embed ROOM FOLDER INSTALLED)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${FOLDER}/*.conf)
  list(SORT files)
  set(text "#include \"relay/shaping/shipped_files.hpp\"\n\n#include <array>\n\nnamespace millrace::relay {\n\n")
  string(APPEND text "std::span<const ShippedFile> shipped_files() {\n    static constexpr auto files = std::to_array<ShippedFile>({\n")
  foreach(file IN LISTS files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    file(READ ${file} content)
    string(APPEND text "{\"${INSTALLED}/${name}\", R\"millrace(${content})millrace\"},\n")
  endforeach()
  string(APPEND text "    });\n    return files;\n}\n\n}  // namespace millrace::relay\n")
  set(source ${CMAKE_BINARY_DIR}/embedded/shipped_files.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "@text@" @ONLY)  # written only when it changes
  target_sources(millrace_${ROOM} PRIVATE ${source})
endfunction()
