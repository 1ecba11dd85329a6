# `cmake --install`, and CPack's three .debs (contrib/packaging): the Debian layout. DESTDIR is honoured.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "where programs go" FORCE)
endif()
include(GNUInstallDirs)
set(here ${CMAKE_SOURCE_DIR}/contrib)
set(staged ${CMAKE_BINARY_DIR}/packaging)

# millrace_install_gz(COMPONENT SOURCE DESTINATION NAME): compressed, as Debian has manual pages and changelogs.
function(millrace_install_gz COMPONENT SOURCE DESTINATION NAME)
  set(file ${staged}/${COMPONENT}/${NAME}.gz)
  file(MAKE_DIRECTORY ${staged}/${COMPONENT})
  execute_process(COMMAND gzip -9nc ${SOURCE} OUTPUT_FILE ${file} COMMAND_ERROR_IS_FATAL ANY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${SOURCE})
  install(FILES ${file} DESTINATION ${DESTINATION} COMPONENT ${COMPONENT})
endfunction()

# --- common: the command, the configuration, users and folders ------------------------------------------------
if(TARGET millrace)
  install(TARGETS millrace RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT common)
endif()
install(FILES ${here}/systemd/millrace.sysusers DESTINATION lib/sysusers.d RENAME millrace.conf COMPONENT common)
install(FILES ${here}/systemd/millrace.tmpfiles DESTINATION lib/tmpfiles.d RENAME millrace.conf COMPONENT common)
millrace_install_gz(common ${here}/man/millrace.1 ${CMAKE_INSTALL_MANDIR}/man1 millrace.1)
millrace_install_gz(common ${here}/man/millrace.conf.5 ${CMAKE_INSTALL_MANDIR}/man5 millrace.conf.5)
millrace_install_gz(common ${here}/man/millrace-shaping.5 ${CMAKE_INSTALL_MANDIR}/man5 millrace-shaping.5)
# The rules about receivers that the programs carry inside, for people to read.
install(DIRECTORY ${here}/shaping/ DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/shaping COMPONENT common
  FILES_MATCHING PATTERN "*.conf")
install(DIRECTORY ${here}/examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/millrace-common/examples
  COMPONENT common)
install(FILES ${here}/packaging/millrace.logrotate DESTINATION /etc/logrotate.d RENAME millrace-common
  COMPONENT common)
# The operator's file is never overwritten; in a package it is a conffile. It says nothing that changes from version
# to version, so that no upgrade ever asks about it. The programs look for it here whatever the prefix is.
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}/etc/millrace/millrace.conf\")
    file(INSTALL \"${here}/packaging/millrace.conf\" DESTINATION \"/etc/millrace\")
  endif()" COMPONENT common)

# --- milter and relay -----------------------------------------------------------------------------------------
foreach(component IN ITEMS milter relay)
  set(daemon millrace-${component})
  if(TARGET ${daemon})
    install(TARGETS ${daemon} RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT ${component})
  endif()
  file(READ ${here}/systemd/${daemon}.service unit)
  string(REPLACE /usr/sbin/millrace ${CMAKE_INSTALL_FULL_SBINDIR}/millrace unit "${unit}")
  file(CONFIGURE OUTPUT ${staged}/systemd/${daemon}.service CONTENT "${unit}" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${here}/systemd/${daemon}.service)
  install(FILES ${staged}/systemd/${daemon}.service ${here}/systemd/${daemon}.socket
    DESTINATION lib/systemd/system COMPONENT ${component})
  millrace_install_gz(${component} ${here}/man/${daemon}.8 ${CMAKE_INSTALL_MANDIR}/man8 ${daemon}.8)
  foreach(script IN ITEMS postinst prerm postrm)
    configure_file(${here}/packaging/daemon.${script}.in ${staged}/${component}/${script} @ONLY)
  endforeach()
endforeach()

# --- packages -------------------------------------------------------------------------------------------------
set(MILLRACE_DEB_REVISION 1 CACHE STRING "what follows the version of the .debs; raise it for a rebuild")
set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)   # /etc lies outside the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL common milter relay)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_PACKAGE_NAME millrace)
set(CPACK_PACKAGE_VENDOR "Millrace")
set(CPACK_PACKAGE_CONTACT "Millrace maintainers <maintainers@millrace.example>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${MILLRACE_DEB_REVISION})
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Finds the libraries' packages; comes with dpkg-dev, which building needs anyway.
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
if(DPKG_SHLIBDEPS)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
set(same "(= ${PROJECT_VERSION}-${MILLRACE_DEB_REVISION})")

set(CPACK_DEBIAN_COMMON_PACKAGE_DEPENDS
  "systemd | systemd-standalone-sysusers | systemd-sysusers, passwd")
set(CPACK_DEBIAN_COMMON_PACKAGE_SUGGESTS "logrotate")
set(CPACK_DEBIAN_MILTER_PACKAGE_DEPENDS "millrace-common ${same}, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_MILTER_PACKAGE_RECOMMENDS "millrace-relay, default-mta | mail-transport-agent")
set(CPACK_DEBIAN_RELAY_PACKAGE_DEPENDS "millrace-common ${same}, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_RELAY_PACKAGE_RECOMMENDS "ca-certificates, dns-root-data")
set(CPACK_DEBIAN_RELAY_PACKAGE_SUGGESTS "millrace-milter, default-mta | mail-transport-agent")
set(CPACK_COMPONENT_COMMON_DESCRIPTION "command and common files of Millrace
Millrace checks and mends the mail of a local Postfix or Sendmail and delivers
it at the speed of each receiving server.
.
This package holds the operator's command, which says where a message is and
why, the configuration file, examples, and the users and folders that the
daemons need.")
set(CPACK_COMPONENT_MILTER_DESCRIPTION "gate beside Postfix or Sendmail
Millrace checks and mends the mail of a local Postfix or Sendmail and delivers
it at the speed of each receiving server.
.
This package holds the milter. It looks at the mail that the operator's side
submits: From, To and Subject must be there, a Subject that is not encoded
properly is. All other mail passes byte for byte.")
set(CPACK_COMPONENT_RELAY_DESCRIPTION "smart host that keeps what it has acknowledged
Millrace checks and mends the mail of a local Postfix or Sendmail and delivers
it at the speed of each receiving server.
.
This package holds the relay. What it has acknowledged is on disk; it delivers
every message, or tells its sender that it could not.")

foreach(script IN ITEMS postinst postrm conffiles)
  configure_file(${here}/packaging/common.${script} ${staged}/common/${script} COPYONLY)
endforeach()
configure_file(${here}/packaging/changelog.in ${staged}/changelog @ONLY)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME millrace-${component})
  set(scripts postinst prerm postrm)
  if(component STREQUAL common)
    set(scripts postinst postrm conffiles)
  endif()
  list(TRANSFORM scripts PREPEND ${staged}/${component}/)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${scripts})
  set(doc ${CMAKE_INSTALL_DATADIR}/doc/millrace-${component})
  millrace_install_gz(${component} ${staged}/changelog ${doc} changelog.Debian)
  install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${doc} RENAME copyright COMPONENT ${component})
  install(FILES ${here}/packaging/lintian-overrides/millrace-${component}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides COMPONENT ${component} OPTIONAL)
endforeach()
include(CPack)
