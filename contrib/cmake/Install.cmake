# `cmake --install` and CPack's .deb: the Debian layout. DESTDIR is honoured.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "where programs go" FORCE)
endif()
include(GNUInstallDirs)

foreach(program IN ITEMS millrace-milter millrace-relay)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
  endif()
endforeach()
if(TARGET millrace)
  install(TARGETS millrace RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

set(here ${CMAKE_SOURCE_DIR}/contrib)
foreach(service IN ITEMS millrace-relay.service millrace-milter.service)
  file(READ ${here}/systemd/${service} unit)
  string(REPLACE /usr/sbin/ ${CMAKE_INSTALL_FULL_SBINDIR}/ unit "${unit}")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/systemd/${service} CONTENT "${unit}" @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/systemd/${service} DESTINATION lib/systemd/system)
endforeach()
install(FILES ${here}/systemd/millrace-relay.socket ${here}/systemd/millrace-milter.socket
  DESTINATION lib/systemd/system)
install(FILES ${here}/systemd/millrace.sysusers DESTINATION lib/sysusers.d RENAME millrace.conf)
install(FILES ${here}/systemd/millrace.tmpfiles DESTINATION lib/tmpfiles.d RENAME millrace.conf)
install(FILES ${here}/man/millrace.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${here}/man/millrace.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${here}/man/millrace-relay.8 ${here}/man/millrace-milter.8
  DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${here}/examples/millrace.conf ${here}/examples/REFERENCE.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright OPTIONAL)

# The operator's file is never overwritten; in a package it is a conffile. The programs look for it here
# whatever the prefix is.
set(config /etc/millrace)
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}${config}/millrace.conf\")
    file(INSTALL \"${here}/examples/millrace.conf\" DESTINATION \"${config}\")
  endif()")

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)   # /etc lies outside the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME millrace)
set(CPACK_PACKAGE_VENDOR "Millrace")
set(CPACK_PACKAGE_CONTACT "Millrace maintainers <maintainers@millrace.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "gate and smart host beside Postfix or Sendmail")
set(CPACK_PACKAGE_DESCRIPTION
  "Millrace checks and mends the mail of a local Postfix or Sendmail and delivers
it at the speed of each receiving server. What it has acknowledged is on disk,
and the operator is always told where a message is, and why.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "default-mta | mail-transport-agent")
# Finds the libraries' packages; comes with dpkg-dev, which building needs anyway.
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
if(DPKG_SHLIBDEPS)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${here}/packaging/postinst ${here}/packaging/prerm ${here}/packaging/postrm
  ${here}/packaging/conffiles)
include(CPack)
