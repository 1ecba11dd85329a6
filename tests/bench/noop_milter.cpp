// A milter that does nothing, to tell libmilter's and Postfix's cost from the gate's: it asks for
// no step of the conversation that the MTA lets it skip, and answers `continue` at the end of each
// message.
//
//   noop_milter SOCKET      for example inet:2710@127.0.0.1
#include <cstdio>
#include <sysexits.h>

#include <libmilter/mfapi.h>

namespace {

/// Takes every offer not to be told of a step; the end of a message cannot be refused.
sfsistat negotiate(SMFICTX* /*context*/,
                   unsigned long /*actions*/,
                   unsigned long steps,
                   unsigned long /*reserved*/,
                   unsigned long /*reserved*/,
                   unsigned long* wanted_actions,
                   unsigned long* wanted_steps,
                   unsigned long* reserved,
                   unsigned long* reserved_too) {
    constexpr unsigned long nothing = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT |
                                      SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN |
                                      SMFIP_NODATA;
    *wanted_actions = 0;
    *wanted_steps = steps & nothing;
    *reserved = 0;
    *reserved_too = 0;
    return SMFIS_CONTINUE;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        (void)std::fputs("usage: noop_milter SOCKET\n", stderr);
        return EX_USAGE;
    }
    char name[] = "noop";
    smfiDesc filter{};
    filter.xxfi_name = name;
    filter.xxfi_version = SMFI_VERSION;
    filter.xxfi_negotiate = negotiate;
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS) {
        (void)std::fputs("noop_milter: libmilter refuses the socket or the filter\n", stderr);
        return EX_UNAVAILABLE;
    }
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_SOFTWARE;
}
